/* Live views: parts of the page that the studio sends as HTML. Only what differs is touched, so that focus, caret,
   scroll and what is being typed survive; clicks and inputs go back one after the other, none is lost.

     data-do="turn" data-…     a press (or a submit, or a change) sends {do, …data, fields}
     data-change, data-input   … when the field's value is changed, or while it is typed in
     data-form                 what holds the named fields that go along
     data-event="submit"       another event than `select`
     data-keep                 an element whose inside belongs to somebody else (plots)
     data-poll                 somebody works: look again every second while the view is in sight
     data-drop                 a place to drop files on

   A tab's views are one group, named by the tab's root: `chat-list` and `chat-body` are of `chat`. What is pressed in
   any of them is sent by the body.                                                                                  */
(() => {
  const studio = window.studio;
  const all = (place, selector) => [...place.querySelectorAll(selector)];

  /* ---- what differs */
  const key = node => (node.nodeType === 1 ? node.id || node.dataset.key || '' : '');
  const alike = (one, other) => one && one.nodeType === other.nodeType && one.nodeName === other.nodeName && key(one) === key(other);
  const attributes = (old, next) => {
    if (old.hasAttribute('data-keep')) { for (const { name, value } of next.attributes) if (name.startsWith('data-')) old.setAttribute(name, value); return; }
    const chosen = next.dataset.chosen !== old.dataset.chosen;
    const written = next.getAttribute('value') !== old.getAttribute('value');
    for (const { name } of [...old.attributes]) if (!next.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
    for (const { name, value } of [...next.attributes]) if (name !== 'open' && old.getAttribute(name) !== value) old.setAttribute(name, value);
    if (old.nodeName === 'INPUT' && /checkbox|radio/.test(old.type)) old.checked = next.checked;
    else if (old.nodeName === 'INPUT' && written && (document.activeElement !== old || !next.value)) old.value = next.value;
    old.choose = old.nodeName === 'SELECT' && chosen;
  };
  const morph = (old, next) => {
    if (old.nodeType !== 1) { if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue; return; }
    if (old.isEqualNode(next) && old.nodeName !== 'INPUT' && !old.querySelector('input[type=checkbox], input[type=radio], select')) return;
    attributes(old, next);
    if (old.hasAttribute('data-keep')) return;
    if (old.nodeName === 'TEXTAREA') { if (old.defaultValue !== next.defaultValue) { old.defaultValue = next.defaultValue; if (document.activeElement !== old) old.value = next.defaultValue; } return; }
    children(old, next);
    if (old.choose) old.value = old.dataset.chosen;
  };
  const children = (old, next) => {
    const keyed = new Map(all(old, ':scope > *').filter(key).map(node => [key(node), node]));
    let at = old.firstChild;
    for (const wanted of [...next.childNodes]) {
      const found = key(wanted) ? keyed.get(key(wanted)) : at;
      if (alike(found, wanted)) {
        if (found === at) at = at.nextSibling; else old.insertBefore(found, at);
        morph(found, wanted);
      } else old.insertBefore(wanted, at);
    }
    while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
  };

  /* ---- the way back: one message at a time, in their order */
  const waiting = [], groups = {};
  let busy = false, patience;
  const group = place => place.closest('.data').id;
  const forward = () => {
    if (busy || !waiting.length) return;
    const { event, data, to } = waiting.shift();
    busy = true;
    clearTimeout(patience);
    patience = setTimeout(() => studio.answered(), 60000);
    setTimeout(() => { if (busy) document.body.classList.add('asking'); }, 250);
    groups[to].trigger(event, data);
  };
  studio.answered = () => { busy = false; document.body.classList.remove('asking'); forward(); };
  studio.send = (data, to = 'data', event = 'select') => {
    if (!groups[to]) return;
    const last = waiting[waiting.length - 1];
    if (last && last.data.typed && data.typed && last.data.do === data.do && last.to === to) waiting.pop();
    waiting.push({ event, data, to });
    forward();
  };
  studio.idle = () => !busy && !waiting.length;
  const fields = place => {
    const form = place.closest('[data-form]');
    const held = {};
    for (const field of form ? all(form, '[name]') : []) {
      if (field.type === 'radio') { if (field.checked) held[field.name] = field.value; }
      else held[field.name] = field.type === 'checkbox' ? field.checked : field.value;
    }
    return held;
  };
  const say = (place, more = {}) => {
    const { event, form, key: _, ...data } = place.dataset;
    studio.send({ ...data, ...more, fields: fields(place) }, group(place), event || 'select');
  };

  /* ---- a view: `trigger` and `watch` are its component's */
  studio.view = (element, props, watch, trigger) => {
    const view = element.querySelector('.view');
    const show = () => {
      const next = document.createElement('div');
      next.innerHTML = props.value || '';
      children(view, next);
      all(view, '.drawing[data-plot]').forEach(place => {
        if (place.plotted === place.dataset.plot) return;
        place.plotted = place.dataset.plot;
        studio.plot(place, JSON.parse(place.plotted));
      });
      const stands = view.querySelector('[data-stands]');
      if (stands && view.stands !== stands.dataset.stands) { view.stands = stands.dataset.stands; studio.stood(JSON.parse(view.stands), group(element)); }
      const to = view.querySelector('[data-focus]');
      if (to && view.focused !== to.dataset.focus) { view.focused = to.dataset.focus; const field = to.matches('input, textarea, select, button') ? to : to.querySelector('input, textarea, select, button'); const calls = matchMedia('(hover: none)').matches && field && field.matches('[data-enter]'); /* a keyboard on glass would cover what is read */ if (field && !calls) field.focus({ preventScroll: true }); if (!calls) to.scrollIntoView({ block: 'nearest' }); }
    };
    if (!element.id.endsWith('-list') && !element.closest('[id$="-list"]')) groups[group(element)] = { view, trigger };
    watch('value', show);
    show();

    element.addEventListener('click', event => {
      const place = event.target.closest('[data-do]');
      if (!place || place.matches('form, input, select, textarea') || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      if (!place.matches('[aria-disabled=true]')) say(place);
    });
    element.addEventListener('submit', event => { event.preventDefault(); event.stopPropagation(); say(event.target); });
    element.addEventListener('change', event => { const place = event.target.closest('[data-change]'); if (place) say(place, { do: place.dataset.change, value: place.type === 'checkbox' ? place.checked : place.value }); });
    let typing;
    element.addEventListener('input', event => {
      const place = event.target.closest('[data-input]');
      if (!place) return;
      clearTimeout(typing);
      typing = setTimeout(() => say(place, { do: place.dataset.input, value: place.value, typed: true }), 300);
    });
    element.addEventListener('keydown', event => {
      if (event.key === 'Escape' && event.target.closest('[data-escape]')) { const place = event.target.closest('[data-escape]'); say(place, { do: place.dataset.escape }); }
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.target.closest('form[data-do]')) { event.preventDefault(); event.stopPropagation(); say(event.target.closest('form')); }
    });
    element.addEventListener('dragover', event => { const zone = event.target.closest('[data-drop]'); if (zone) { event.preventDefault(); zone.classList.add('over'); } });
    element.addEventListener('dragleave', event => { const zone = event.target.closest('[data-drop]'); if (zone) zone.classList.remove('over'); });
    element.addEventListener('drop', event => { const zone = event.target.closest('[data-drop]'); if (zone) { event.preventDefault(); zone.classList.remove('over'); bring(zone, event.dataTransfer.files); } });
    element.addEventListener('change', event => { if (event.target.matches('[data-drop] input[type=file]')) { bring(event.target.closest('[data-drop]'), event.target.files); event.target.value = ''; } });
  };

  /* ---- files on their way to the studio */
  const bring = (zone, list) => {
    const files = [...list], bar = zone.querySelector('.bar > span');
    if (!files.length || zone.classList.contains('moving')) return;
    const told = files.map(file => ({ name: file.name, size: file.size }));
    if (files.reduce((sum, file) => sum + file.size, 0) > +zone.dataset.most) { studio.send({ do: zone.dataset.drop, refused: 413, files: told }, group(zone)); return; }
    const form = new FormData(), request = new XMLHttpRequest();
    files.forEach(file => form.append('files', file));
    zone.classList.add('moving');
    request.upload.onprogress = event => { if (bar && event.total) bar.style.width = `${Math.round(100 * event.loaded / event.total)}%`; };
    request.onloadend = () => {
      zone.classList.remove('moving');
      if (bar) bar.style.width = '0';
      let paths = null;
      if (request.status === 200) try { paths = JSON.parse(request.responseText); } catch (_) { paths = null; }
      studio.send(paths ? { do: zone.dataset.drop, files: told.map((one, place) => ({ ...one, path: paths[place] })) } : { do: zone.dataset.drop, refused: request.status, files: told }, group(zone));
    };
    request.open('POST', './gradio_api/upload');
    request.send(form);
  };

  /* ---- work that goes on: look again, only while somebody sees it */
  setInterval(() => {
    if (!studio.idle() || document.hidden || studio.away) return;
    for (const [to, { view }] of Object.entries(groups)) if (view.offsetParent && view.querySelector('[data-poll]')) studio.send({ do: 'look' }, to);
  }, 1000);
})();
