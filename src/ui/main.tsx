import './styles/tokens.css';
import './styles/base.css';
import './styles/frame.css';
import './styles/widgets.css';
import { render } from 'preact';
import { startEvents } from './api/events.js';
import { startScheme } from './frame/scheme.js';
import { Shell } from './frame/shell.js';
import { startRouter } from './router.js';

startScheme();
startRouter();
startEvents();
const root = document.getElementById('page');
if (root !== null) render(<Shell />, root);
