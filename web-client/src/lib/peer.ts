// One WebRTC transport to the server: an `RTCPeerConnection` and the name the server gave it. We always offer, so there is no glare.
import type { IceServer, Intent } from '../protocol';
import type { Share } from './connection';
import { RequestError } from './errors';
import { takesGcm, withServerOpening, withStereo } from './sdp';

/** Whether the server is asked to open DTLS: as the browser's name says, until a handshake fails. */
let serverOpens: boolean | undefined;

export class MediaPeer {
  readonly connection: RTCPeerConnection;
  #id: string | null = null;
  #negotiation: Promise<void> | null = null;
  /** Settled by the first offer: a transport keeps its DTLS roles. */
  #serverOpens: boolean | null = null;

  constructor(iceServers: readonly IceServer[]) {
    this.connection = new RTCPeerConnection({
      iceServers: iceServers.map((server) => ({ ...server })),
      bundlePolicy: 'max-bundle',
      rtcpMuxPolicy: 'require',
    });
    this.connection.addEventListener('connectionstatechange', () => {
      // Whatever the reason was, the next transport tries the common way, which every browser knows.
      if (this.#dtlsFailed) serverOpens = false;
    });
  }

  /** The server's name for this peer, from its first answer. */
  get id(): string | null {
    return this.#id;
  }

  get connected(): boolean {
    return this.connection.connectionState === 'connected';
  }

  /** The browser has noticed that the transport is gone. */
  get lost(): boolean {
    const state = this.connection.connectionState;
    return state === 'disconnected' || state === 'failed';
  }

  get #dtlsFailed(): boolean {
    return this.connection.getTransceivers().some(({ sender, receiver }) => (sender.transport ?? receiver.transport)?.state === 'failed');
  }

  get closed(): boolean {
    return this.connection.signalingState === 'closed';
  }

  /**
   * Offers, and applies the answer. The server is ICE-lite: it needs no candidates of ours, so nothing waits for gathering.
   * Rejects with a `RequestError`; `malformed_sdp` when the answer does not fit the offer.
   */
  async negotiate(client: Pick<Share, 'request'>, intent: Intent, options: { restartIce?: boolean } = {}): Promise<void> {
    if (this.#negotiation) return;
    const negotiation = this.#negotiate(client, intent, options);
    this.#negotiation = negotiation.then(() => undefined, () => undefined);
    try {
      await negotiation;
    } finally {
      this.#negotiation = null;
    }
  }

  /** Offers what has changed since the last offer, after whichever is under way. Rejects as `negotiate` does. */
  async offerAnew(client: Pick<Share, 'request'>, intent: Intent): Promise<void> {
    while (this.#negotiation) await this.#negotiation;
    if (!this.closed) await this.negotiate(client, intent);
  }

  async #negotiate(client: Pick<Share, 'request'>, intent: Intent, options: { restartIce?: boolean }): Promise<void> {
    try {
      const offer = await this.connection.createOffer({ iceRestart: options.restartIce ?? false });
      const sdp = withStereo(offer.sdp ?? '');
      await this.connection.setLocalDescription({ type: 'offer', sdp });
      this.#serverOpens ??= serverOpens ??= takesGcm(globalThis.navigator?.userAgent ?? '');
      const sent = this.#serverOpens ? withServerOpening(sdp) : sdp;
      const answer = await client.request('offer', { intent, sdp: sent, ...(this.#id ? { peer: this.#id } : {}) });
      this.#id = answer.peer;
      if (this.closed) return;
      await this.connection.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
    } catch (thrown) {
      if (this.closed || thrown instanceof RequestError) throw thrown;
      throw new RequestError('malformed_sdp', thrown instanceof Error ? thrown.message : String(thrown), true);
    }
  }

  close(): void {
    this.connection.close();
  }
}
