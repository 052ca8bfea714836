/** @import { PhotoRules } from '../types.d.ts' */

/**
 * A few of the rules that the server sends; tests/page/test_folders.py compares all of them with Python.
 * @type {PhotoRules}
 */
export const RULES = {
  photo_suffixes: ['.jpg', '.mpo', '.hif'],
  other_suffixes: ['.txt', '.mp4'],
  system_folders: ['\\.[^/]*', '__macosx', '@eadir', 'lost\\+found', '[^/]*\\.library/(?!originals$)[^/]*'],
  photo_starts: ['\\xff\\xd8\\xff', 'RIFF.{4}WEBP'],
  start: 16,
};
