// Entry: mounts the place that the address names.
import { render } from 'preact';

const root = document.getElementById('app');
if (root) render(<main><h1>Courtside</h1></main>, root);
