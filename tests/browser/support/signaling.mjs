// Stands between a page and the server's signaling: passes everything on, and changes what a test wants changed.

/** A route that the page's `/v1/ws` takes. `toPage` sees each parsed message of the server and returns what the page is told. */
export async function betweenPageAndServer(page, toPage) {
  await page.routeWebSocket('**/v1/ws', (socket) => {
    const server = socket.connectToServer();
    server.onMessage((text) => {
      const told = toPage(JSON.parse(String(text)));
      if (told) socket.send(JSON.stringify(told));
    });
  });
}

/** The page reaches the server, and nobody at the server answers. */
export async function silentServer(page) {
  await page.routeWebSocket('**/v1/ws', () => undefined);
}

/** A page's signaling that can be cut and joined again, and into which a test can speak. `toPage` as above. */
export async function cuttable(page, toPage = (message) => message) {
  const open = new Set();
  const link = {
    passes: true,
    /** From now on nothing passes, and what is open breaks off as a lost network does: without a close code of the server's. */
    cut() {
      link.passes = false;
      for (const { socket, server } of open) {
        void socket.close({ code: 4999 });
        void server.close({ code: 4999 });
      }
      open.clear();
    },
    join() {
      link.passes = true;
    },
    /** What the server might have said. Whether there was anybody to hear it. */
    tell(message) {
      for (const { socket } of open) socket.send(JSON.stringify(message));
      return open.size > 0;
    },
  };
  await page.routeWebSocket('**/v1/ws', (socket) => {
    if (!link.passes) {
      void socket.close({ code: 4999 });
      return;
    }
    const server = socket.connectToServer();
    const both = { socket, server };
    open.add(both);
    server.onMessage((text) => {
      const told = toPage(JSON.parse(String(text)));
      if (told && open.has(both)) socket.send(JSON.stringify(told));
    });
    socket.onMessage((text) => {
      if (open.has(both)) server.send(text);
    });
    socket.onClose(() => {
      open.delete(both);
      void server.close();
    });
  });
  return link;
}
