/* What the page does in the browser and Gradio cannot: plots that keep their place, marks beside fields, addresses,
   light and dark, and a word when the studio is gone. No state lives here that the studio needs: the page works on,
   plainer, if this file fails. */
(() => {
  const studio = (window.studio = {});
  const root = document.documentElement;
  const words = key => (window.studio_words[window.studio_lang] || {})[key] || '';
  const each = (selector, act) => document.querySelectorAll(selector).forEach(act);
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch (_) { /* private windows */ } };
  const kept = name => { try { return localStorage.getItem(name); } catch (_) { return null; } };

  /* ---- language: Gradio's own words and <html lang> follow ours */
  const tags = { zh: 'zh-CN', en: 'en' };
  const speak = lang => { window.studio_lang = lang; root.lang = tags[lang] || lang; };
  studio.speak = lang => { speak(lang); document.cookie = `studio_lang=${lang};path=/;max-age=31536000;samesite=strict`; };
  const own = tags[window.studio_lang] || window.studio_lang;
  for (const [name, value] of [['language', own], ['languages', [own]]])
    try { Object.defineProperty(navigator, name, { get: () => value }); } catch (_) { /* Gradio speaks the browser's */ }
  new MutationObserver(() => { if (root.lang !== (tags[window.studio_lang] || window.studio_lang)) speak(window.studio_lang); })
    .observe(root, { attributes: true, attributeFilter: ['lang'] });

  /* ---- light and dark: the system's until somebody chooses */
  const dark = () => (kept('studio-theme') || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
  const paint = () => {
    const on = dark();
    root.classList.toggle('dark', on);
    if (document.body && document.body.classList.contains('dark') !== on) document.body.classList.toggle('dark', on);
    each('.drawing', draw);
  };
  paint();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);

  /* ---- plots: one lasting element each; zoom and axis kind survive updates */
  const figures = new Map();
  /* a copy (plotly writes its zoom into what it is given) with the theme's colours */
  const coloured = (value, colour) => {
    if (typeof value === 'string') return value[0] === '@' ? colour(value.slice(1)) : value;
    if (Array.isArray(value)) return value.length && typeof value[0] !== 'object' ? value.slice() : value.map(part => coloured(part, colour));
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, coloured(part, colour)]));
    return value;
  };
  function draw(place) {
    const figure = place.figure;
    if (!figure || !figure.value || !window.Plotly || !place.offsetWidth || !place.offsetHeight) return;
    const styles = getComputedStyle(document.body);
    const { data, layout } = coloured(figure.value, name => styles.getPropertyValue(`--${name}`).trim());
    layout.autosize = true;
    layout.uirevision += `#${figure.whole}`;
    if (figure.log && data.length) layout.yaxis.type = 'log';
    place.setAttribute('aria-label', figure.value.name || '');
    window.Plotly.react(place, data, layout, { displayModeBar: false, responsive: false, showTips: false, doubleClick: 'reset' });
    place.dataset.points = String(data.length ? data[0].x.length : 0);
  }
  studio.figure = (element, props, watch) => {
    const place = element.querySelector('.drawing');
    studio.plot(place, props.value);
    watch('value', () => studio.plot(place, props.value));
  };
  studio.plot = (place, value) => {
    if (place.figure) { place.figure.value = value; draw(place); return; }
    const holder = place.closest('.figure');
    const name = holder ? holder.id.slice(7) : '';
    const before = figures.get(name) && figures.get(name).figure;
    place.figure = { value, log: before ? before.log : false, whole: 0 };
    figures.set(name, place);
    new ResizeObserver(() => {
      if (!place.offsetWidth) return;
      if (place.classList.contains('js-plotly-plot')) window.Plotly.Plots.resize(place); else draw(place);
    }).observe(place);
    const wait = setInterval(() => { if (window.Plotly) { clearInterval(wait); draw(place); } }, 80);
  };
  const tools = {
    log: (place, button) => { place.figure.log = !place.figure.log; place.figure.whole += 1; button.setAttribute('aria-pressed', place.figure.log); draw(place); },
    whole: place => { place.figure.whole += 1; draw(place); },
    full: place => { if (document.fullscreenElement) document.exitFullscreen(); else place.closest('.figure').requestFullscreen(); },
    save: place => {
      const ground = getComputedStyle(document.body).getPropertyValue('--surface').trim();
      const { data, layout } = place;
      window.Plotly.toImage({ data, layout: { ...layout, paper_bgcolor: ground, plot_bgcolor: ground } }, { format: 'png', width: 1200, height: 700, scale: 2 })
        .then(url => offer(url, `${place.figure.value.layout.uirevision || 'run'}-${place.closest('.figure').id.slice(7)}.png`)); },
  };

  /* ---- texts to copy and save */
  const offer = (url, name) => { const link = document.createElement('a'); link.href = url; link.download = name; link.click(); };
  const copy = button => {
    const text = document.getElementById(`text-${button.dataset.copy}`).textContent;
    const said = button.textContent;
    const done = () => { button.textContent = words('copied'); setTimeout(() => { button.textContent = said; }, 1500); };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => {});
  };

  /* ---- marks beside fields: problems in the user's words, and which values are changed */
  let marking = false;
  const mark = () => {
    marking = false;
    each('.log', log => { if (!log.away && log.offsetParent) log.scrollTop = log.scrollHeight; });
    const search = document.querySelector('#found [data-found]');
    const found = search ? JSON.parse(search.dataset.found) : null;
    each('.what .field', field => field.classList.toggle('unfound', !!found && !found.includes(field.id.slice(4))));
    const island = document.querySelector('#marks [data-marks]');
    if (!island) return;
    const { wrong, changed } = JSON.parse(island.dataset.marks);
    const differs = new Set(changed);
    each('.field', field => {
      const name = field.id.slice(4), words = wrong[name] || '';
      field.classList.toggle('changed', differs.has(name));
      field.classList.toggle('wrong', !!words);
      let beside = field.querySelector(':scope > .problem-beside');
      if (words && !beside) {
        beside = document.createElement('p');
        beside.className = 'problem-beside';
        beside.id = `problem-${name}`;
        field.appendChild(beside);
      }
      if (beside && beside.textContent !== words) beside.textContent = words;
      if (beside && !words) beside.remove();
      const input = field.querySelector('input, textarea');
      if (input) {
        if (words) { input.setAttribute('aria-invalid', 'true'); input.setAttribute('aria-describedby', `problem-${name}`); }
        else { input.removeAttribute('aria-invalid'); input.removeAttribute('aria-describedby'); }
      }
    });
  };
  const later = () => { if (!marking) { marking = true; requestAnimationFrame(mark); } };

  /* ---- addresses: ?tab=…&run=…&set=…, back and forward, links that open a run without loading the page again */
  const WORDS = ['tab', 'run', 'set', 'part', 'chat'];
  const place = () => { const query = new URLSearchParams(location.search); return Object.fromEntries(WORDS.map(word => [word, query.get(word) || ''])); };
  const address = next => { const query = new URLSearchParams(); for (const word of WORDS) if (next[word]) query.set(word, next[word]); return `?${query}`; };
  const went = next => { if (address(next) !== address(place())) history.pushState(null, '', address(next)); };
  const shown = { train: {}, runs: {}, data: { part: 'bring' }, chat: {}, evaluate: {}, export: {} };
  let moving = true; // until the page stands where its address says
  studio.first = location.search;
  studio.arrived = () => { moving = false; };
  const go = next => { moving = true; setTimeout(() => { moving = false; }, 1500); if (studio.go) studio.go(next); };
  studio.selected = tab => { if (!moving) went({ tab, ...shown[tab] }); };
  studio.opened = run => { shown.runs = { run }; if (!moving) went({ tab: 'runs', run }); };
  studio.stood = (where, tab) => { shown[tab] = where; if (!moving && place().tab === tab) went({ tab, ...where }); };
  studio.started = run => { shown.train = { run }; if (run && place().tab !== 'runs') { went({ tab: 'train', run }); } if (run) studio.to('live'); };
  studio.to = id => { const element = document.getElementById(id);
    if (element) element.scrollIntoView({ block: 'nearest', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' }); };
  addEventListener('popstate', () => go(place()));
  const first = place();
  if (first.run && !['chat', 'evaluate', 'export'].includes(first.tab)) shown[first.tab === 'train' ? 'train' : 'runs'] = { run: first.run };
  if (first.tab === 'chat') shown.chat = { chat: first.chat, part: first.part, run: first.run };
  if (['evaluate', 'export'].includes(first.tab)) shown[first.tab] = { run: first.run };
  if (first.tab === 'data') shown.data = { set: first.set, part: first.part };

  studio.busy = id => { each('button.busy', button => button.classList.remove('busy')); if (id) document.getElementById(id).classList.add('busy'); };

  /* ---- clicks and keys */
  addEventListener('click', event => {
    const at = selector => event.target.closest && event.target.closest(selector);
    const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.button);
    let found;
    if ((found = at('[data-tool]'))) { const drawing = figures.get(found.dataset.figure); if (drawing && window.Plotly) tools[found.dataset.tool](drawing, found); }
    else if ((found = at('[data-copy]'))) copy(found);
    else if ((found = at('[data-save]'))) offer(URL.createObjectURL(new Blob([document.getElementById(`text-${found.dataset.of}`).textContent], { type: 'text/yaml' })), found.dataset.save);
    else if (at('[data-theme-switch]')) { keep('studio-theme', dark() ? 'light' : 'dark'); paint(); }
    else if ((found = at('a[data-field]')) && plain) { event.preventDefault(); reveal(found.dataset.field); }
    else if ((found = at('a[data-go]')) && plain && studio.go) { event.preventDefault(); const next = Object.fromEntries(new URLSearchParams(found.search)); went(next); go(next); }
    else if ((found = at('a[data-run]')) && plain && studio.go) { event.preventDefault(); const next = { tab: 'runs', run: found.dataset.run }; shown.runs = { run: next.run }; went(next); go(next); }
  });
  const reveal = name => {
    const field = document.getElementById(`arg-${name}`);
    if (!field) return;
    const fold = field.closest('.group');
    const button = fold && fold.querySelector('.label-wrap:not(.open)');
    if (button) button.click();
    setTimeout(() => { studio.to(field.id); const input = field.querySelector('input, textarea'); if (input) input.focus(); }, button ? 120 : 0);
  };
  addEventListener('keydown', event => {
    root.classList.toggle('by-keyboard', event.key === 'Tab' || root.classList.contains('by-keyboard'));
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      const start = [...document.querySelectorAll('#start, [data-starts]')].find(button => button.offsetParent);
      if (start) {
        event.preventDefault();
        const typing = document.activeElement;
        if (typing && typing !== start) { typing.blur(); typing.focus({ preventScroll: true }); } // what is typed is said first
        start.click();
      }
    }
  });
  /* a log stays at its end until somebody scrolls up */
  addEventListener('scroll', ({ target }) => {
    if (target.classList && target.classList.contains('log')) target.away = target.scrollTop + target.clientHeight < target.scrollHeight - 24;
  }, true);
  addEventListener('pointerdown', () => root.classList.remove('by-keyboard'));

  /* ---- the clock between two ticks, and ticks only while somebody looks */
  setInterval(() => {
    if (document.hidden || studio.away) return;
    each('[data-counts]', figure => {
      if (figure.counted !== figure.dataset.counts) { figure.counted = figure.dataset.counts; figure.since = performance.now(); }
      const whole = Math.round(+figure.dataset.counts + (performance.now() - figure.since) / 1000);
      const two = part => String(part).padStart(2, '0');
      figure.textContent = whole >= 3600 ? `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}` : `${Math.floor(whole / 60)}:${two(whole % 60)}`;
    });
  }, 1000);
  addEventListener('visibilitychange', () => { if (studio.hide) studio.hide(document.hidden); });

  /* ---- the studio is gone: say so, look for it, and come back to where we were */
  let missed = 0, id = null;
  const banner = text => {
    let element = document.getElementById('gone');
    if (!text) { if (element) element.remove(); return; }
    if (!element) { element = document.createElement('div'); element.id = 'gone'; element.setAttribute('role', 'alert'); document.body.appendChild(element); }
    element.textContent = text;
  };
  const knock = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch('./gradio_api/app_id', { cache: 'no-store', signal: AbortSignal.timeout(4000) });
        const now = answer.ok ? (await answer.text()) : null;
        if (now === null) throw new Error('no answer');
        if (id !== null && now !== id) { location.reload(); return; }
        id = now;
        if (missed) banner('');
        missed = 0;
        studio.away = false;
      } catch (_) { missed += 1; if (missed > 1) { studio.away = true; banner(words('gone')); } }
    }
    setTimeout(knock, missed ? 1500 : 4000);
  };

  addEventListener('DOMContentLoaded', () => {
    paint();
    new MutationObserver(paint).observe(document.body, { attributes: true, attributeFilter: ['class'] });
    new MutationObserver(later).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ['data-marks', 'data-found', 'style'] });
    knock();
  });
})();
