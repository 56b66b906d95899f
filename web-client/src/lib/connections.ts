// Which connection of the page to speak over. It is one; there is a second only beside a broadcast that goes on air from this page, because a
// session has one broadcast and one person, and what is on air keeps both:
//
//   the page also shows another match (Home and Watch can be looked at meanwhile) ─▶ that is joined on another connection
//   somebody signs in or out                                                     ─▶ their friends are heard of on another connection
import { Connection, type ConnectionOptions } from './connection';
import { signalingUrl } from './signaling';

export class Connections {
  readonly #options: ConnectionOptions;
  #all: Connection[] = [];

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** To join a broadcast on. */
  toJoin(): Connection {
    return this.#first((connection) => !connection.stays);
  }

  /** To hear what concerns whoever this page is now. */
  toHear(): Connection {
    return this.#first((connection) => !connection.isLeft);
  }

  #first(suits: (connection: Connection) => boolean): Connection {
    this.#all = this.#all.filter((connection) => connection.isMade);
    const found = this.#all.find(suits);
    if (found) return found;
    const made = new Connection(this.#options);
    this.#all.push(made);
    return made;
  }
}

let connections: Connections | null = null;

/** Those of this page. */
export function theConnections(): Connections {
  connections ??= new Connections({ url: signalingUrl(location.href) });
  return connections;
}
