import { expect, test } from 'vitest';
import { chooseForm } from './choose-form.ts';

const [ndjson, sse] = ['application/x-ndjson', 'text/event-stream'];

test.each([
  [undefined, ndjson],
  ['', ndjson],
  ['*/*', ndjson],
  ['application/x-ndjson', ndjson],
  ['text/event-stream', sse],
  ['text/event-stream; charset=utf-8', sse],
  ['TEXT/EVENT-STREAM', sse],
  ['text/*', sse],
  ['application/*', ndjson],
  ['text/event-stream, */*', sse],
  ['*/*, text/event-stream', sse],
  ['text/event-stream;q=0.5, application/x-ndjson', ndjson],
  ['text/event-stream;q=0.5, */*;q=0.1', sse],
  ['text/event-stream;q=0, */*', ndjson],
  ['application/x-ndjson;q=0, text/*', sse],
  ['application/x-ndjson;q=0.2, text/event-stream;q=0.9', sse],
  ['application/x-ndjson;q=0', null],
  ['application/json', null],
  ['text/html, application/xhtml+xml', null],
  ['text/event-stream;q=none', null],
  ['text/event-stream;q=2', null],
  [',,;;q', null],
])('Accept %j is answered with %j', (accept, form) => {
  expect(chooseForm(accept)).toBe(form);
});
