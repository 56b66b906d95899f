// The door: sign in, sign up or a forgotten password, over whatever somebody is doing. Others ask for it here; its looks come on demand.
import { signal } from '@preact/signals';

export type DoorSide = 'sign_in' | 'sign_up' | 'forgot';

/** `why`: one line about what an account is needed for; what the door says by itself when absent. */
export type Door = { side: DoorSide; why?: string | undefined };

/** `null`: closed. */
export const door = signal<Door | null>(null);

/** What is on the page goes on behind it. */
export function openDoor(side: DoorSide = 'sign_in', why?: string): void {
  door.value = { side, why };
}

export function closeDoor(): void {
  door.value = null;
}
