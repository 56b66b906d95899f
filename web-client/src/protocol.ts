// The contract with the server, mirror of `src/signaling/protocol.rs`. Types only.

export type Codec = 'h264' | 'vp8' | 'vp9' | 'av1' | 'opus';
export type MediaKind = 'audio' | 'video';
export type Intent = 'view' | 'publish';
export type Grant = 'view' | 'publish' | 'chat' | 'call' | 'moderate';
export type BroadcastState = 'idle' | 'live' | 'reconnecting' | 'ended';
export type Visibility = 'public' | 'unlisted';
export type MarkerKind = 'goal' | 'card' | 'chance' | 'period' | 'other';
export type ByeReason = 'shutting_down' | 'slow_consumer' | 'hello_timeout' | 'ping_timeout' | 'protocol_error' | 'replaced';
export type QualityChoice = { mode: 'auto' } | { mode: 'layer'; spatial: number } | { mode: 'audio_only' };
export type PeerState = { state: 'connected' } | { state: 'gone'; reason: string };

export type ErrorCode =
  | 'unsupported_protocol'
  | 'unknown_message'
  | 'malformed_message'
  | 'hello_first'
  | 'not_joined'
  | 'invalid_token'
  | 'token_expired'
  | 'forbidden'
  | 'not_found'
  | 'ended'
  | 'conflict'
  | 'publisher_present'
  | 'malformed_sdp'
  | 'unacceptable_sdp'
  | 'invalid_value'
  | 'too_large'
  | 'rate_limited'
  | 'full'
  | 'shutting_down'
  | 'unavailable'
  | 'internal';

export type ErrorView = { code: ErrorCode; message: string; retryable: boolean };
export type Slot = { mid: string; kind: MediaKind; source: string };
export type UserView = { id: string; name: string; guest: boolean };
export type IceServer = { urls: Array<string>; username?: string; credential?: string };
export type Team = { name: string; short: string; color: string };
export type Teams = { home: Team; away: Team };
export type Score = { home: number; away: number; at_media_ms: number };
export type MatchClock = { running: boolean; elapsed_ms: number; at_media_ms: number; period: string };
export type Marker = { id: string; kind: MarkerKind; label: string; media_time_ms: number };
export type LayerView = {
  spatial: number;
  width: number;
  height: number;
  bitrate_bps: number;
  frames_per_second: number;
  active: boolean;
};

export type BroadcastView = {
  id: string;
  slug: string;
  title: string;
  visibility: Visibility;
  state: BroadcastState;
  created_at_ms: number;
  started_at_ms?: number;
  ended_at_ms?: number;
  viewers: number;
  viewers_peak: number;
  video_codec?: Codec;
  has_audio: boolean;
  poster_version: number;
  layers: Array<LayerView>;
  teams?: Teams;
  score?: Score;
  clock?: MatchClock;
  markers: Array<Marker>;
};

export type ScoreChange = { home: number; away: number; at_media_ms?: number };
export type ClockChange = { running: boolean; elapsed_ms: number; period: string; at_media_ms?: number };
export type BroadcastChanges = {
  title?: string;
  visibility?: Visibility;
  teams?: Teams | null;
  score?: ScoreChange | null;
  clock?: ClockChange | null;
};

export type PlaybackReport = {
  first_frame_ms?: number;
  latency_ms?: number;
  freezes: number;
  frozen_ms: number;
  frames_dropped: number;
};

export type StatsView = {
  sent_bps: number;
  received_bps: number;
  loss_down: number;
  loss_up: number;
  retransmitted: number;
  rtt_ms?: number;
  estimate_bps?: number;
  current_layer?: number;
  target_layer?: number;
};

export type ClientMessage =
  | { type: 'hello'; protocol: number; client: string; token?: string; resume?: string }
  | { type: 'ping'; id: number; client_time_ms: number }
  | { type: 'join'; id: number; broadcast: string; token?: string }
  | { type: 'leave'; id: number }
  | { type: 'offer'; id: number; intent: Intent; sdp: string; peer?: string }
  | { type: 'candidate'; peer: string; candidate: string; mid?: string }
  | { type: 'close_peer'; id: number; peer: string }
  | { type: 'quality'; id: number; peer: string; choice: QualityChoice }
  | { type: 'watch_stats'; id: number; peer: string; on: boolean }
  | { type: 'report'; report: PlaybackReport }
  | { type: 'update_broadcast'; id: number; changes: BroadcastChanges }
  | { type: 'mark'; id: number; kind: MarkerKind; label: string; media_time_ms?: number }
  | { type: 'unmark'; id: number; marker: string }
  | { type: 'end_broadcast'; id: number };

export type ServerMessage =
  | {
      type: 'welcome';
      protocol: number;
      server: string;
      session: string;
      resume: string;
      resume_window_ms: number;
      resumed: boolean;
      user: UserView;
      token?: string;
      server_time_ms: number;
      ice_servers: Array<IceServer>;
      ping_interval_ms: number;
    }
  | { type: 'pong'; id: number; client_time_ms: number; server_time_ms: number }
  | { type: 'joined'; id: number; broadcast: BroadcastView; grants: Array<Grant> }
  | { type: 'done'; id: number }
  | { type: 'answer'; id: number; peer: string; sdp: string }
  | { type: 'slots'; peer: string; slots: Array<Slot> }
  | { type: 'broadcast'; broadcast: BroadcastView }
  | { type: 'viewers'; count: number; peak: number }
  | { type: 'peer_state'; peer: string; state: PeerState }
  | { type: 'playing'; peer: string }
  | { type: 'track_clock'; peer: string; mid: string; kind: MediaKind; rtp0: number; ntp0_ms: number; rate: number }
  | { type: 'layers'; layers: Array<LayerView> }
  | { type: 'layer'; peer: string; mid: string; current?: number; target?: number }
  | { type: 'cannot_decode'; peer: string; codec: Codec }
  | { type: 'publisher_refused'; peer: string; code: string; message: string }
  | { type: 'stats'; peer: string; stats: StatsView }
  | { type: 'error'; id?: number; error: ErrorView }
  | { type: 'bye'; reason: ByeReason; message: string; reconnect_after_ms?: number };
