
'use strict';
// Sorts and searches the table of keys, and keeps both in the page's address. Ranks were computed when
// the page was made: no number is read here.
(() => {
  const table = document.getElementById('worst');
  if (!table) return;
  document.documentElement.classList.add('js');
  const search = document.getElementById('search');
  const status = document.getElementById('status');
  const nothing = document.getElementById('nothing');
  const all = document.getElementById('all');
  // More than this at once is for those who ask for it.
  const FEW = 25;
  let isWhole = false;
  const buttons = [...table.tHead.querySelectorAll('button')];
  const says = {size: 'largest difference first', up: 'lowest first', down: 'highest first'};
  // Numbers are found as people type them: with a plain minus, with thousands apart or not.
  const plain = (text) => {
    const bare = text.toLowerCase().replace(/\u2212/g, '-');
    return `${bare}\n${bare.replace(/(\d),(?=\d{3})/g, '$1')}`;
  };
  const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ',');
  const bodies = [...table.tBodies].map((body) => ({
    body,
    ranks: body.dataset.ranks.split(' ').map((rank) => (rank === '-' ? Infinity : Number(rank))),
    text: plain(body.textContent),
  }));
  // As the page was written: by the first number's size, or else by key.
  const first = buttons[1] && buttons[1].dataset.modes.startsWith('size') ? buttons[1] : buttons[0];
  const state = {search: '', button: first, mode: 0};

  const modes = (button) => button.dataset.modes.split(' ');

  const sort = () => {
    const mode = modes(state.button)[state.mode];
    const ranks = state.button.dataset.ranks.split(' ').map(Number);
    const rank = ranks[Math.min(state.mode, ranks.length - 1)];
    const sign = mode === 'down' ? -1 : 1;
    bodies.sort((x, y) => {
      const [a, b] = [x.ranks[rank], y.ranks[rank]];
      // What has no value stands last, whichever way.
      if (a === Infinity || b === Infinity) {
        if (a !== b) return a === Infinity ? 1 : -1;
        return x.ranks[0] - y.ranks[0];
      }
      return sign * (a - b);
    });
    table.append(...bodies.map(({body}) => body));
    for (const button of buttons) {
      const is = button === state.button;
      const way = {size: 'other', up: 'ascending', down: 'descending'}[mode];
      button.parentElement.setAttribute('aria-sort', is ? way : 'none');
      button.dataset.way = is ? mode : '';
    }
  };

  const filter = () => {
    const words = state.search.toLowerCase().replace(/\u2212/g, '-').split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const {body, text} of bodies) {
      const matches = words.every((word) => text.includes(word));
      body.hidden = !matches || (!isWhole && shown >= FEW);
      shown += matches ? 1 : 0;
    }
    nothing.hidden = shown > 0;
    all.hidden = isWhole || shown <= FEW;
    all.textContent = `Show all ${grouped(shown)}`;
    const here = Number(table.dataset.shown);
    const total = Number(table.dataset.all);
    const found = words.length ? `${grouped(shown)} of ${grouped(here)} keys match` : `${grouped(here)} keys`;
    const beyond = words.length && total > here ? `; ${grouped(total - here)} more differ that are not in this page` : '';
    status.textContent = `${found}, by ${state.button.textContent}, ${says[modes(state.button)[state.mode]]}${beyond}`;
  };

  const keep = () => {
    const parts = new URLSearchParams();
    if (state.search) parts.set('search', state.search);
    const mode = modes(state.button)[state.mode];
    if (state.button !== first || state.mode !== 0) {
      parts.set('sort', state.button.dataset.name + (state.mode === 0 ? '' : `:${mode}`));
    }
    history.replaceState(null, '', `#${parts}`);
  };

  const restore = () => {
    const hash = location.hash.slice(1);
    // The address of a section is no search.
    if (!hash.includes('=')) return;
    const parts = new URLSearchParams(hash);
    state.search = parts.get('search') || '';
    const sort = parts.get('sort') || '';
    const named = (name) => buttons.find((button) => button.dataset.name === name);
    const cut = sort.lastIndexOf(':');
    const mode = cut < 0 ? '' : sort.slice(cut + 1);
    const button = named(sort) || (mode && named(sort.slice(0, cut)));
    state.button = button || first;
    state.mode = button && !named(sort) ? Math.max(0, modes(button).indexOf(mode)) : 0;
    search.value = state.search;
  };

  for (const button of buttons) {
    button.addEventListener('click', () => {
      state.mode = button === state.button ? (state.mode + 1) % modes(button).length : 0;
      state.button = button;
      sort();
      filter();
      keep();
    });
  }
  all.addEventListener('click', () => {
    isWhole = true;
    filter();
  });
  search.addEventListener('input', () => {
    state.search = search.value.trim();
    filter();
    keep();
  });
  window.addEventListener('hashchange', () => {
    restore();
    sort();
    filter();
  });
  // Paper has nothing to unfold.
  let folded = [];
  window.addEventListener('beforeprint', () => {
    isWhole = true;
    filter();
    folded = [...document.querySelectorAll('details:not([open])')].filter((of) => !table.contains(of));
    folded.forEach((of) => { of.open = true; });
  });
  window.addEventListener('afterprint', () => folded.forEach((of) => { of.open = false; }));
  restore();
  sort();
  filter();
})();
