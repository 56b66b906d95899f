// Runs in a worker: answers a period with a message per period, for ever. The page ends it by ending the worker.
addEventListener('message', (event: MessageEvent<number>) => {
  setInterval(() => postMessage(null), event.data);
});
