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

test('what the server says of calls keeps its code; what every object has is no code', () => {
  const codeOf = (code: string): string => RequestError.fromView({ code: code as never, message: '', retryable: false }).code;
  expect(['video_full', 'removed', 'invitation_expired'].map(codeOf)).toEqual(['video_full', 'removed', 'invitation_expired']);
  expect(codeOf('toString')).toBe('internal');
});
