"""The captioner as files that a web browser runs: ONNX graphs, a description of them, and a page without a server.

`graphs` says what the graphs take and give, `weights` how their weights are stored, `description` what is in
``captioner.json``. ``python -m capmodel.browser --help`` lists the commands.
"""
