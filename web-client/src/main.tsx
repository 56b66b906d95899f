// Entry: styles, theme and addresses, then the frame around the places.
import './ui/tokens.css';
import './ui/base.css';
import './ui/components.css';
import { render } from 'preact';
import { App } from './ui/App';
import { startRouter } from './ui/router';
import { startTheme } from './ui/theme';

const root = document.getElementById('app');
// Aborted never: these live as long as the page.
const life = new AbortController().signal;
startTheme(life);
startRouter(life);
if (root) {
  root.textContent = '';
  render(<App />, root);
}
