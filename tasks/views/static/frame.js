// The theme of Airflow around this page, and links out of Airflow's frame, which is sandboxed.
(function () {
  "use strict";
  const root = document.documentElement;

  function outside() {
    try {
      return window.parent !== window && window.parent.document ? window.parent.document : null;
    } catch {
      return null; // a frame of another origin
    }
  }

  function chosen() {
    const outer = outside();
    if (outer) {
      return outer.documentElement.classList.contains("dark") ? "dark" : "light";
    }
    try {
      const kept = localStorage.getItem("theme"); // next-themes keeps it there
      return kept === "dark" || kept === "light" ? kept : "";
    } catch {
      return "";
    }
  }

  function follow() {
    const theme = chosen();
    if (root.dataset.theme !== theme) {
      root.dataset.theme = theme;
      document.dispatchEvent(new Event("theme"));
    }
  }

  follow();
  const outer = outside();
  if (outer) {
    new MutationObserver(follow).observe(outer.documentElement, { attributeFilter: ["class"] });
  } else {
    window.addEventListener("storage", follow);
  }

  // The frame may open no window and leave for nowhere: the page around it goes there instead.
  document.addEventListener("click", function (event) {
    const link = event.target.closest("a[data-out]");
    const around = outside();
    if (!link || !around || event.defaultPrevented) {
      return;
    }
    event.preventDefault();
    const twin = around.createElement("a");
    twin.href = link.href;
    if (new URL(link.href).origin !== location.origin) {
      twin.target = "_blank";
      twin.rel = "noopener noreferrer";
    }
    twin.click();
  });
})();
