import { expect, test } from 'vitest';
import { RequestError, asRequestError } from './errors';

test('an unknown code of a newer server behaves as internal and keeps its words', () => {
  const error = RequestError.fromView({ code: 'too_sunny' as never, message: 'Too sunny.', retryable: true });
  expect([error.code, error.message, error.retryable]).toEqual(['internal', 'Too sunny.', true]);
});

test('a known error passes through unchanged', () => {
  const error = RequestError.timeout();
  expect(asRequestError(error)).toBe(error);
});
