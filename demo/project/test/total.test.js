import assert from 'node:assert/strict';
import { test } from 'node:test';
import { total } from '../src/total.js';

test('the lines are added up', () => {
  const order = [
    { cents: 1250, count: 2 },
    { cents: 99, count: 1 },
  ];
  assert.equal(total(order), 2599);
});

test('an empty order costs nothing', () => {
  assert.equal(total([]), 0);
});

test('from 100.00 on, ten percent are taken off', () => {
  assert.equal(total([{ cents: 10_000, count: 1 }]), 9_000);
  assert.equal(total([{ cents: 9_999, count: 1 }]), 9_999);
});
