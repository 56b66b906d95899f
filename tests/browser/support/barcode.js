// The machine-readable counter at the bottom edge of a picture, drawn and read by pages. Same geometry as `src/demo/barcode.rs`, whose head
// describes it; written independently of it. A plain script that is put into pages, so it leaves one global and imports nothing.
//
// The counter of a picture that a page draws is the wall clock in milliseconds modulo 2^24 (4.6 hours), so that a viewer on the same machine
// reads from the picture how old it is.
globalThis.barcode = (() => {
  const COLUMNS = 64;
  const ROWS = 36;
  const FIRST_COLUMN = 15;
  const CELLS = 34;
  const COUNTER_END = 2 ** 24;
  /** Least difference of brightness between the white and the black guard cell. */
  const CONTRAST_MIN = 60;
  /** Pixels that one cell becomes on the reader's canvas; its middle 2 x 2 are averaged. */
  const SCALE = 4;

  const checksum = (counter) => {
    let crc = 0xff;
    for (const shift of [16, 8, 0]) {
      crc ^= (counter >>> shift) & 0xff;
      for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : crc << 1;
    }
    return crc;
  };

  /** Whether each cell is white, from left to right. */
  const cells = (counter) => {
    const bits = counter.toString(2).padStart(24, '0') + checksum(counter).toString(2).padStart(8, '0');
    return [true, false, ...[...bits].map((bit) => bit === '1')];
  };

  const clock = () => Math.round(performance.timeOrigin + performance.now()) % COUNTER_END;

  /** Milliseconds from `counter` to now, where both are clock readings. */
  const age = (counter, now = clock()) => {
    const difference = (now - counter + COUNTER_END) % COUNTER_END;
    return difference > COUNTER_END / 2 ? difference - COUNTER_END : difference;
  };

  const draw = (context, width, height, counter) => {
    const top = Math.round((height * (ROWS - 1)) / ROWS);
    cells(counter).forEach((white, cell) => {
      const left = Math.round((width * (FIRST_COLUMN + cell)) / COLUMNS);
      const right = Math.round((width * (FIRST_COLUMN + cell + 1)) / COLUMNS);
      context.fillStyle = white ? '#ebebeb' : '#101010';
      context.fillRect(left, top, right - left, height - top);
    });
  };

  let canvas = null;
  let context = null;

  /** The counter on screen in `source` (a video element or a video frame), or `null` where there is none that can be trusted. */
  const read = (source, width = source.videoWidth, height = source.videoHeight) => {
    if (!width || !height) return null;
    if (!context) {
      canvas = document.createElement('canvas');
      canvas.width = CELLS * SCALE;
      canvas.height = SCALE;
      context = canvas.getContext('2d', { willReadFrequently: true });
    }
    context.drawImage(source, (width * FIRST_COLUMN) / COLUMNS, (height * (ROWS - 1)) / ROWS, (width * CELLS) / COLUMNS, height / ROWS, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const brightness = (cell) => {
      let sum = 0;
      for (const y of [1, 2]) {
        for (const x of [1, 2]) {
          const at = (y * canvas.width + cell * SCALE + x) * 4;
          sum += data[at] + data[at + 1] + data[at + 2];
        }
      }
      return sum / 12;
    };
    const white = brightness(0);
    const black = brightness(1);
    if (white < black + CONTRAST_MIN) return null;
    let counter = 0;
    let check = 0;
    for (let cell = 2; cell < CELLS; cell++) {
      const bit = brightness(cell) > (white + black) / 2 ? 1 : 0;
      if (cell < 26) counter = counter * 2 + bit;
      else check = check * 2 + bit;
    }
    return checksum(counter) === check ? counter : null;
  };

  return { checksum, cells, clock, age, draw, read };
})();

/** Of the player's two pictures, the one that covers the other; elsewhere the only one. */
globalThis.pictureInFront = () => document.querySelector('.player > video[data-front]') ?? document.querySelector('video');

/** Calls `each` with every picture that the one in front shows, whichever that is: its element, when, and what the browser says of the picture. */
globalThis.followFront = (each) => {
  let followed = null;
  const follow = (video) => video.requestVideoFrameCallback((now, frame) => {
    if (video !== followed) return;
    each(video, now, frame);
    follow(video);
  });
  setInterval(() => {
    const front = globalThis.pictureInFront();
    if (front === followed) return;
    followed = front;
    if (front) follow(front);
  }, 20);
};
