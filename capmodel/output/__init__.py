"""Shows captions: pictures, files and the browser's player. Nothing here needs PyTorch."""
