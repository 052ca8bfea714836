import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factor, lessProbable } from '../core/text.js';

test('nats are told as a factor, in words', () => {
  assert.equal(factor(Math.log(1.25)), '1.25\u00D7');
  assert.equal(factor(-Math.log(4)), '4.0\u00D7');
  assert.equal(lessProbable(Math.log(3)), '3.0\u00D7 less probable');
  assert.equal(lessProbable(-Math.log(1.5)), '1.50\u00D7 more probable');
  assert.equal(lessProbable(0.01), 'just as probable');
  assert.equal(lessProbable(-0.01), 'just as probable');
});
