// One line of the chat: a message, one of one's own that is still on its way, or a note. Drawn again only when something about it changed.
import { Component } from 'preact';
import type { ChatMessage, ChatModes, ChatRole, ReplyTo } from '../protocol';
import { Icon } from '../ui/Icon';
import { arrowBendUpLeft, broadcastFill, dotsThree, shieldCheck } from '../ui/icons';
import { words } from '../words';
import { Glyph } from './Glyph';
import type { Line } from './log';
import { type Named, isEmojiOnly, piecesOf } from './pieces';

const say = words.chat;
/** So few emoji alone are drawn larger. */
const LARGE_MOST = 6;

/** What somebody wants with a message; where it lies, for a menu beside it. */
export type Wish = { kind: 'menu' | 'reply'; message: ChatMessage; removed: boolean; at: DOMRect };

export type LineProps = {
  line: Line;
  time: string;
  /** This person's id. */
  me: string | null;
  modes: ChatModes;
  moderates: boolean;
  /** Whether this person may write. */
  writes: boolean;
  /** The first of those that came while nobody looked. */
  firstNew: boolean;
  /** It has the keyboard. */
  active: boolean;
  place: number;
  of: number;
  nameOf: (user: string) => string | null;
  onWish: (wish: Wish) => void;
  onRetry: (nonce: number) => void;
  onDrop: (nonce: number) => void;
};

const COMPARED = ['line', 'time', 'me', 'modes', 'moderates', 'writes', 'firstNew', 'active'] as const;

export class LineView extends Component<LineProps> {
  // The place and the number of lines change with every message: they are refreshed when something else does.
  override shouldComponentUpdate(next: LineProps): boolean {
    return COMPARED.some((name) => next[name] !== this.props[name]);
  }

  override render({ line, active, firstNew, place, of }: LineProps) {
    return (
      <li
        class={['m', classOf(line, this.props.me), firstNew ? 'first-new' : '', active ? 'active' : ''].filter(Boolean).join(' ')}
        data-key={line.key}
        tabIndex={-1}
        onClick={(event) => this.touched(event)}
        aria-posinset={place}
        aria-setsize={of}
      >
        <time>{this.props.time}</time>
        <div class="said">{this.inside(line)}</div>
        {line.kind === 'message' && !line.removed && this.actions(line.message)}
      </li>
    );
  }

  inside(line: Line) {
    switch (line.kind) {
      case 'message': return line.removed ? this.removed(line.message) : this.message(line.message);
      case 'pending': return this.pending(line);
      case 'note':
        switch (line.note.kind) {
          case 'gap': return say.gap;
          case 'modes': return say.modes(line.note.before, line.note.after);
          case 'moment': return <strong>{line.note.label}</strong>;
        }
    }
  }

  message(message: ChatMessage) {
    const { me, nameOf } = this.props;
    return (
      <>
        {message.reply_to && <Quote reply={message.reply_to} />}
        {concerns(message, me) && <span class="sr">{say.toYou}. </span>}
        <RoleMark role={message.author.role} />
        <button class="who" type="button" tabIndex={-1} aria-haspopup="menu" onClick={(event) => this.wish('menu', message, event.currentTarget)}>
          <bdi>{message.author.name}</bdi>
        </button>{' '}
        <Words text={message.text} named={namedIn(message, me, nameOf)} />
        {message.edited && <small class="edited"> {say.edited}</small>}
      </>
    );
  }

  removed(message: ChatMessage) {
    // Those who may lift a silence find the person here.
    if (!this.props.moderates) return say.removed;
    return (
      <button class="who" type="button" tabIndex={-1} aria-haspopup="menu" onClick={(event) => this.wish('menu', message, event.currentTarget, true)}>
        <bdi>{say.removedOf(message.author.name)}</bdi>
      </button>
    );
  }

  pending({ pending, author, state, error }: Extract<Line, { kind: 'pending' }>) {
    const { modes, onRetry, onDrop } = this.props;
    return (
      <>
        {pending.replyTo && <Quote reply={pending.replyTo} />}
        <RoleMark role={author.role} />
        <b class="who"><bdi>{author.name}</bdi></b>{' '}
        <Words text={pending.text} named={[]} />
        {state === 'failed'
          ? (
            <span class="failed" role="alert">
              {error && say.refusal(error.code, modes, error.message)}
              <span class="choices">
                {error?.code !== 'turned_down' && <button type="button" onClick={() => onRetry(pending.nonce)}>{say.resend}</button>}
                <button type="button" onClick={() => onDrop(pending.nonce)}>{say.discard}</button>
              </span>
            </span>
          )
          : <small class="state"> {say.states[state]}</small>}
      </>
    );
  }

  actions(message: ChatMessage) {
    const { writes } = this.props;
    return (
      <div class="acts">
        {writes && (
          <button class="act" type="button" tabIndex={-1} aria-label={say.replyTo(message.author.name)} onClick={(event) => this.wish('reply', message, event.currentTarget)}>
            <Icon svg={arrowBendUpLeft} size="s" />
          </button>
        )}
        <button
          class="act"
          type="button"
          tabIndex={-1}
          aria-haspopup="menu"
          aria-label={say.more(message.author.name)}
          onClick={(event) => this.wish('menu', message, event.currentTarget)}
        >
          <Icon svg={dotsThree} size="s" />
        </button>
      </div>
    );
  }

  /** A finger finds no buttons that come up under a pointer: the whole line is one. */
  touched(event: MouseEvent): void {
    const { line, moderates } = this.props;
    if (!(event.target instanceof HTMLElement) || event.target.closest('a, button') || !matchMedia('(hover: none)').matches) return;
    if (line.kind === 'message' && (!line.removed || moderates)) this.wish('menu', line.message, event.target, line.removed);
  }

  wish(kind: Wish['kind'], message: ChatMessage, element: HTMLElement, removed = false): void {
    const row = element.closest('.m');
    if (row) this.props.onWish({ kind, message, removed, at: row.getBoundingClientRect() });
  }
}

/** It is addressed to this person, or answers them. */
export function concerns(message: ChatMessage, me: string | null): boolean {
  return me !== null && message.author.id !== me && (message.mentions?.includes(me) === true || message.reply_to?.author === me);
}

function classOf(line: Line, me: string | null): string {
  switch (line.kind) {
    case 'message': return line.removed ? 'removed' : concerns(line.message, me) ? 'to-me' : line.message.author.id === me ? 'mine' : '';
    case 'pending': return `mine pending ${line.state}`;
    case 'note': return line.note.kind === 'moment' ? 'moment-line' : 'note';
  }
}

function namedIn(message: ChatMessage, me: string | null, nameOf: (user: string) => string | null): Named[] {
  return (message.mentions ?? []).flatMap((id) => {
    const name = nameOf(id);
    return name === null ? [] : [{ name, me: id === me }];
  });
}

function Quote({ reply }: { reply: ReplyTo }) {
  return <span class="quote clip"><bdi>{say.repliesTo(reply.name, reply.excerpt)}</bdi></span>;
}

export function RoleMark({ role }: { role: ChatRole }) {
  if (role === 'viewer') return null;
  return (
    <span class={`role ${role}`} title={say.roles[role]}>
      <Icon svg={role === 'moderator' ? shieldCheck : broadcastFill} size="s" />
      <span class="sr">{say.roles[role]} </span>
    </span>
  );
}

/** Text in pieces; never markup. */
export function Words({ text, named }: { text: string; named: readonly Named[] }) {
  const pieces = piecesOf(text, named);
  const large = isEmojiOnly(pieces, LARGE_MOST);
  return (
    <bdi class="words">
      {pieces.map((piece, index) => {
        switch (piece.kind) {
          case 'text': return piece.text;
          case 'emoji': return <Glyph key={index} emoji={piece.emoji} large={large} />;
          case 'mention': return <span key={index} class={`at ${piece.me ? 'me' : ''}`}>{piece.text}</span>;
          case 'link': return <a key={index} href={piece.href} target="_blank" rel="noopener noreferrer nofollow ugc">{piece.text}</a>;
        }
      })}
    </bdi>
  );
}

