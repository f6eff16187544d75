/* Chat: answers that grow, Enter that sends, texts that are copied. What an answer is made of comes as HTML from the
   studio (ui/tabs/chat/live.py); only its blocks that have changed come, and only they are touched.

     data-talk="id" data-version    the conversation in sight, as it was when it was drawn
     data-grows="id"                the blocks of an answer that is being said; data-foot="id" the line below it
     data-enter                     a box where Enter sends and Shift+Enter breaks the line
     data-copy-code, data-copy-of   presses that copy the code beside them, or the text of a [data-text]           */
(() => {
  const studio = window.studio;
  const words = key => (window.studio_words[window.studio_lang] || {})[key] || '';
  const quickly = 200, slowly = 2500;
  let wait = slowly;

  /* ---- answers grow */
  const nodes = html => { const place = document.createElement('div'); place.innerHTML = html; return [...place.children]; };
  const grow = ({ id, from, blocks, foot }) => {
    const place = document.querySelector(`[data-grows="${CSS.escape(id)}"]`);
    if (!place) return false;
    const fresh = nodes(blocks.join(''));
    while (place.children.length > from) place.lastElementChild.remove();
    place.append(...fresh);
    const below = document.querySelector(`[data-foot="${CSS.escape(id)}"]`);
    if (below) below.innerHTML = foot;
    return true;
  };
  /* whoever stands at the end stays there while answers grow; whoever scrolls up reads in peace */
  let following = true;
  const toEnd = () => { const page = document.scrollingElement; page.scrollTop = page.scrollHeight; };
  const isSeen = () => document.querySelector('#chat')?.offsetParent;
  addEventListener('scroll', () => { const page = document.scrollingElement; following = page.scrollTop + innerHeight > page.scrollHeight - 80; }, { passive: true });
  addEventListener('DOMContentLoaded', () => new ResizeObserver(() => { if (following && isSeen() && document.querySelector('#chat .is-answering')) toEnd(); }).observe(document.body));
  const stood = studio.stood;
  studio.stood = (where, tab) => { stood(where, tab); if (tab === 'chat' && where.chat && !where.part) requestAnimationFrame(() => { if (isSeen()) toEnd(); }); };
  const look = async talk => {
    const since = Math.max(+talk.dataset.version, talk.version || 0);
    const asked = new URLSearchParams({ since, lang: window.studio_lang });
    const answer = await fetch(`./studio/talk/${encodeURIComponent(talk.dataset.talk)}?${asked}`, { cache: 'no-store', signal: AbortSignal.timeout(5000) });
    if (!answer.ok || !talk.isConnected || !studio.idle()) return slowly;
    const { version, busy, redraw, answers } = await answer.json();
    const known = answers.every(grow);
    talk.version = version;
    if (redraw || !known) studio.send({ do: 'look' }, 'chat');
    return busy ? quickly : slowly;
  };
  const turn = async () => {
    const talk = document.querySelector('#chat-body [data-talk]');
    try {
      if (talk && talk.dataset.talk && talk.offsetParent && !document.hidden && !studio.away && studio.idle()) wait = await look(talk);
    } catch (_) { wait = slowly; /* page.js says when the studio is gone */ }
    const drawn = document.querySelector('#chat-body [data-grows]');
    setTimeout(turn, drawn ? quickly : wait);
  };
  setTimeout(turn, slowly);

  /* ---- Enter sends; a letter that is still being composed does not */
  addEventListener('keydown', event => {
    const box = event.target.closest && event.target.closest('textarea[data-enter]');
    if (!box || event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    event.stopPropagation();
    if (box.value.trim() && box.form && !box.form.matches('[aria-disabled=true]')) box.form.requestSubmit();
  }, true);
  /* what was sent leaves its box; the studio puts it back when it could not be taken */
  addEventListener('submit', event => {
    const box = event.target.querySelector('textarea[data-clears]');
    if (box) setTimeout(() => { box.value = ''; following = true; });
  }, true);

  /* ---- texts to copy */
  addEventListener('click', event => {
    const press = event.target.closest && event.target.closest('[data-copy-code], [data-copy-of]');
    if (!press || !navigator.clipboard) return;
    const text = press.dataset.copyOf ? document.getElementById(press.dataset.copyOf)?.textContent : press.closest('.code-block').querySelector('code').textContent;
    const said = press.textContent;
    navigator.clipboard.writeText(text || '').then(() => { press.textContent = words('copied'); setTimeout(() => { press.textContent = said; }, 1500); }, () => {});
  });
})();
