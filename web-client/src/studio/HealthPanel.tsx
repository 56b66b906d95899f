// Number, word and the last minute's line for each figure of the outgoing stream; the sizes under them; one row of advice at most.
import { useState } from 'preact/hooks';
import { HEALTH_HISTORY, type PublisherSession } from '../lib/publisher';
import type { PublisherHealth } from '../lib/publisher_state';
import { Button, IconButton } from '../ui/Button';
import { formatBitrate } from '../ui/format';
import { Icon } from '../ui/Icon';
import { caretDown, warningFill, x } from '../ui/icons';
import { words } from '../words';
import { type Judgement, adviceFor, judgeFrameRate, judgeLoss, judgeRoundTrip, judgeUpload, sparkline } from './health';

const text = words.studio.health;
const LINE_WIDTH = 200;
const LINE_HEIGHT = 26;

/** `rate`: frames a second that the source delivers; `null` when an encoder sends and only its arrival is known. */
export function HealthPanel({ session, rate }: { session: PublisherSession; rate: number | null }) {
  const history = session.health.value;
  const last = history.at(-1);
  return (
    <>
      {rate !== null && (
        <div class="figures health" role="group" aria-label={text.label}>
          <Figure name={text.upload} value={split(last && formatBitrate(last.uploadBps))} judgement={judgeUpload(history)} values={history.map((reading) => reading.uploadBps)} />
          <Figure
            name={text.frameRate} value={last ? [String(Math.round(last.framesPerSecond)), text.perSecond] : null}
            judgement={judgeFrameRate(history, rate)} values={history.map((reading) => reading.framesPerSecond)}
          />
          <Figure
            name={text.loss} value={typeof last?.loss === 'number' ? [(last.loss * 100).toFixed(1), text.percent] : null}
            judgement={judgeLoss(history)} values={history.map((reading) => (reading.loss ?? 0) * 100)}
          />
          <Figure
            name={text.roundTrip} value={typeof last?.roundTripMs === 'number' ? [String(Math.round(last.roundTripMs)), text.ms] : null}
            judgement={judgeRoundTrip(history)} values={history.map((reading) => reading.roundTripMs ?? 0)}
          />
        </div>
      )}
      {rate !== null && <Advice session={session} history={history} />}
      <LayerTable session={session} last={last} />
    </>
  );
}

const split = (formatted: string | undefined): [string, string] | null => {
  const [amount, unit] = formatted?.split(' ') ?? [];
  return amount && unit ? [amount, unit] : null;
};

type FigureProps = { name: string; value: [string, string] | null; judgement: Judgement; values: readonly number[] };

function Figure({ name, value, judgement, values }: FigureProps) {
  const line = sparkline(values, LINE_WIDTH, LINE_HEIGHT, HEALTH_HISTORY);
  const [, startX] = /^M([\d.-]+)/.exec(line) ?? [];
  return (
    <div class={judgement.trouble ? 'trouble' : ''}>
      <div class="top-line small"><span class="muted">{name}</span><span class="word">{text[judgement.word]}</span></div>
      <div class="value num">{value ? <>{value[0]}<small>{value[1]}</small></> : '–'}</div>
      <svg viewBox={`0 0 ${LINE_WIDTH} ${LINE_HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={text.lastMinute(name)}>
        {line && <path class="area" d={`${line}L${LINE_WIDTH} ${LINE_HEIGHT}L${startX ?? 0} ${LINE_HEIGHT}Z`} />}
        {line && <path class="line" d={line} vector-effect="non-scaling-stroke" />}
      </svg>
    </div>
  );
}

function Advice({ session, history }: { session: PublisherSession; history: readonly PublisherHealth[] }) {
  const [dismissed, setDismissed] = useState(false);
  const reduced = session.topLayer.value === 'off';
  const advice = adviceFor(history);
  const layers = history.at(-1)?.layers ?? [];
  const top = layers[0];
  if (reduced) {
    return (
      <AdviceRow title={words.studio.advice.smaller} line={words.studio.advice.smallerLine}>
        <Button size="sm" onClick={() => void session.setTopLayer('on')}>{words.studio.advice.undo}</Button>
      </AdviceRow>
    );
  }
  // What nobody needs is not sent anyway.
  const largestSent = session.unwatched.value.size === 0;
  if (!advice || dismissed || layers.length < 2 || !top || !largestSent) return null;
  const cpu = advice === 'cpu';
  return (
    <AdviceRow title={cpu ? words.studio.advice.cpu : words.studio.advice.bandwidth} line={cpu ? words.studio.advice.cpuLine : words.studio.advice.bandwidthLine}>
      <Button size="sm" onClick={() => void session.setTopLayer('off')}>{words.studio.advice.fix(words.studio.lines(top.height))}</Button>
      <IconButton icon={x} label={words.studio.advice.dismiss} tip="end" onClick={() => setDismissed(true)} />
    </AdviceRow>
  );
}

function AdviceRow({ title, line, children }: { title: string; line: string; children: preact.ComponentChildren }) {
  return (
    <div class="notice-row" role="status">
      <Icon svg={warningFill} />
      <p class="grow"><b class="strong">{title}</b> <span class="muted">{line}</span></p>
      {children}
    </div>
  );
}

function LayerTable({ session, last }: { session: PublisherSession; last: PublisherHealth | undefined }) {
  // What reaches the server, largest first, beside what is sent.
  const arriving = [...session.arriving.value].reverse();
  const sent = last?.layers ?? [];
  const unwatched = session.unwatched.value;
  const rows = Math.max(sent.length, arriving.length);
  if (rows === 0) return null;
  const label = words.studio.layers;
  const lines = (sent.length > 0 ? sent.filter((layer) => layer.active && layer.bps > 0) : arriving).map((layer) => words.studio.lines(layer.height)).join(' · ');
  return (
    <details class="sizes num">
    <summary>{label.label}<span>{lines}</span><Icon svg={caretDown} size="s" /></summary>
    <table class="layers">
      <caption class="sr">{label.label}</caption>
      <thead><tr><th scope="col">{label.size}</th><th scope="col">{label.rate}</th>{sent.length > 0 && <th scope="col">{label.sent}</th>}<th scope="col">{label.arriving}</th></tr></thead>
      <tbody>
        {Array.from({ length: rows }, (_, index) => {
          const out = sent[index];
          const into = arriving[index];
          const width = out?.width || into?.width || 0;
          const height = out?.height || into?.height || 0;
          return (
            <tr key={index}>
              <th scope="row">{width ? `${width} × ${height}` : '–'}</th>
              <td>{Math.round(out?.framesPerSecond ?? into?.frames_per_second ?? 0)}</td>
              {sent.length > 0 && <td>{out ? (out.active ? formatBitrate(out.bps) : unwatched.has(out.rid) ? label.unwatched : label.paused) : '–'}</td>}
              <td>{into?.active && into.bitrate_bps > 0 ? formatBitrate(into.bitrate_bps) : '–'}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
    </details>
  );
}
