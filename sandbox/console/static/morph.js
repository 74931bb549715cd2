// Changes what stands on the page into what the server has drawn anew, node by node, so that nothing is lost that isn't
// on the server: the focus, what was typed or chosen, what was opened, and how far one has scrolled.
"use strict";

// Makes an element's content what the HTML says; the server's templates escape every value in it.
export function morph(element, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  morphChildren(element, template.content);
}

function morphChildren(parent, wantedParent) {
  const wantedNodes = Array.from(wantedParent.childNodes);
  const wantedIds = new Set(wantedNodes.map((node) => node.id).filter(Boolean));
  let place = parent.firstChild;
  for (const wanted of wantedNodes) {
    const known = wanted.id ? Array.from(parent.children).find((child) => child.id === wanted.id) : undefined;
    if (known !== undefined && known.nodeName === wanted.nodeName) {
      place = removeUntil(known, place, wantedIds);
      // Moving takes the focus away, so it is done only where the order really changed.
      if (place !== known) parent.insertBefore(known, place);
      else place = known.nextSibling;
      morphNode(known, wanted);
    } else if (place !== null && isAlike(place, wanted)) {
      const next = place.nextSibling;
      morphNode(place, wanted);
      place = next;
    } else {
      parent.insertBefore(wanted, place);
    }
  }
  while (place !== null) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

// Takes away what stands before a node and isn't wanted any more; returns where to go on.
function removeUntil(node, start, wantedIds) {
  let place = start;
  while (place !== null && place !== node && !wantedIds.has(place.id)) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
  return place;
}

// Whether one node can become the other; named ones become only what has their name.
function isAlike(node, wanted) {
  return node.nodeType === wanted.nodeType && node.nodeName === wanted.nodeName && !node.id && !wanted.id;
}

function morphNode(node, wanted) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.nodeValue !== wanted.nodeValue) node.nodeValue = wanted.nodeValue;
    return;
  }
  syncAttributes(node, wanted);
  if (node.nodeName === "TEXTAREA") {
    // What was typed stays; what was never touched follows the server.
    if (node.defaultValue !== wanted.defaultValue) {
      const isUntouched = node.value === node.defaultValue;
      node.defaultValue = wanted.defaultValue;
      if (isUntouched) node.value = wanted.defaultValue;
    }
    return;
  }
  const chosen = node.nodeName === "SELECT" ? node.value : null;
  morphChildren(node, wanted);
  if (chosen !== null && Array.from(node.options).some((option) => option.value === chosen)) node.value = chosen;
}

function syncAttributes(node, wanted) {
  for (const { name, value } of Array.from(wanted.attributes)) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  for (const { name } of Array.from(node.attributes)) {
    // Whether details are open is the reader's choice.
    if (!wanted.hasAttribute(name) && !(name === "open" && node.nodeName === "DETAILS")) node.removeAttribute(name);
  }
}
