// SPDX-License-Identifier: GPL-2.0-or-later
// Brings what changes on a page up to date: it fetches the page again when it hears that there is something new, and takes
// over what differs, so that focus, selection and scrolling stay where they are.
"use strict";
(() => {
    const sign = document.getElementById("live");
    let busy = false, again = false;

    function takeAttributes(to, from) {
        for (const { name } of [...to.attributes])
            if (!from.hasAttribute(name))
                to.removeAttribute(name);
        for (const { name, value } of from.attributes)
            if (to.getAttribute(name) !== value)
                to.setAttribute(name, value);
    }

    function take(to, from) {
        if (to.nodeType !== from.nodeType || to.nodeName !== from.nodeName) {
            to.replaceWith(document.importNode(from, true));
            return;
        }
        if (to.nodeType !== Node.ELEMENT_NODE) {
            if (to.nodeValue !== from.nodeValue)
                to.nodeValue = from.nodeValue;
            return;
        }
        takeAttributes(to, from);
        const mine = [...to.childNodes], theirs = [...from.childNodes];
        theirs.forEach((child, at) => {
            if (at < mine.length)
                take(mine[at], child);
            else
                to.append(document.importNode(child, true));
        });
        mine.slice(theirs.length).forEach((child) => child.remove());
    }

    async function refresh() {
        if (busy) {
            again = true;
            return;
        }
        busy = true;
        try {
            const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
            if (!answer.ok || answer.redirected)
                throw new Error(answer.statusText);
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            for (const part of document.querySelectorAll(".live[id]")) {
                const fresh = page.getElementById(part.id);
                if (fresh)
                    take(part, fresh);
            }
            sign.textContent = "";
        } catch {
            sign.textContent = "not up to date";
        }
        busy = false;
        if (again) {
            again = false;
            refresh();
        }
    }

    if (!document.querySelector(".live[id]"))
        return;
    const events = new EventSource("/events");
    let heard = false;
    events.onmessage = () => {
        heard = true;
        if (!document.hidden)
            refresh();
    };
    events.onerror = () => { sign.textContent = "not connected"; };
    document.addEventListener("visibilitychange", () => { if (!document.hidden && heard) refresh(); });
    addEventListener("pagehide", () => events.close());
})();
