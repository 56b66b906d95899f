// Another camera or microphone in mid-call.
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { words } from '../words';
import { callWords } from '../call_words';
import { DevicePanel } from './DevicePanel';
import type { Party } from './party';
import { usePerson } from './PreJoin';

export function DevicesDialog({ party, onClose }: { party: Party; onClose: () => void }) {
  const person = usePerson(party);
  return (
    <Dialog title={callWords.dock.settings} onClose={onClose} actions={<Button look="primary" onClick={onClose}>{words.common.close}</Button>}>
      <DevicePanel devices={party.call.devices} person={person} />
    </Dialog>
  );
}
