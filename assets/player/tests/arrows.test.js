// Where each folder's modules may import from. Biome's noRestrictedImports says the same while one writes; this
// test also sees paths that its patterns do not.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { test } from 'node:test';

const PLAYER = new URL('../', import.meta.url);
/** @type {Record<string, string[]>} */
const MAY = { core: ['core'], engines: ['core', 'engines'], views: ['core'], panels: ['core'] };

for (const [folder, allowed] of Object.entries(MAY))
  for (const name of readdirSync(new URL(folder, PLAYER), { recursive: true, encoding: 'utf8' }))
    if (name.endsWith('.js'))
      test(`${folder}/${name} imports only ${allowed.join(', ')}`, () => {
        const source = readFileSync(new URL(`${folder}/${name}`, PLAYER), 'utf8');
        for (const [, path] of source.matchAll(/^(?:import|export)\b[^;'"()=]*'(\.{1,2}\/[^']+)'/gm)) {
          const found = posix.join(folder, posix.dirname(name), path);
          assert.ok(
            allowed.some((each) => found.startsWith(`${each}/`)),
            path,
          );
        }
      });
