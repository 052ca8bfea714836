"""Everything that shows a caption: pictures, files and the browser's player. Nothing here needs PyTorch."""
