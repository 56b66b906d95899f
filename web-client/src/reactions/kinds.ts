// The reactions: their artwork, and which of them people are offered.
import type { ReactionKind } from '../protocol';
import angry from './art/angry.svg?url';
import clap from './art/clap.svg?url';
import fire from './art/fire.svg?url';
import goal from './art/goal.svg?url';
import heart from './art/heart.svg?url';
import laugh from './art/laugh.svg?url';
import sad from './art/sad.svg?url';
import wow from './art/wow.svg?url';

/** In the order of the bar and of the keys 1 to 6. The others are drawn when somebody else's client sends them. */
export const OFFERED: readonly ReactionKind[] = ['goal', 'clap', 'fire', 'wow', 'sad', 'heart'];

/** Addresses of the drawings. */
export const ART: Readonly<Record<ReactionKind, string>> = { angry, clap, fire, goal, heart, laugh, sad, wow };
