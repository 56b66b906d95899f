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
