// Draws the charts of one model from the JSON in the page: one time axis, zoomed together.
(function () {
  "use strict";
  const held = document.getElementById("data");
  if (!held) {
    return;
  }
  const data = JSON.parse(held.textContent);
  const whole = [data.starts[0], data.ends[data.ends.length - 1]];
  let range = whole.slice();
  let ink = colours();
  const drawn = new Map(); // element → chart
  const makers = new Map(); // element → what draws it

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue("--" + name).trim();
    return {
      ink: of("ink"), soft: of("soft"), line: of("line"), good: of("good"), bad: of("bad"),
      mild: of("mild"), link: of("link"), second: of("second"), gap: of("gap"),
    };
  }

  // A line breaks where nobody measured a window, as it does where nothing can be said of one.
  const missed = (i) => i > 0 && data.starts[i] - data.ends[i - 1] > (data.ends[i - 1] - data.starts[i - 1]) / 2;
  const places = data.starts.flatMap((_, i) => (missed(i) ? [-1, i] : [i]));
  const times = places.map((i, place) => (i < 0 ? data.ends[places[place - 1]] : data.starts[i]));
  const broken = (values) => places.map((i) => (i < 0 ? null : values[i]));

  const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");
  const minute = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ").replace(" 00:00", "");

  function show(from, to) {
    const least = (data.ends[0] - data.starts[0]) * 2;
    const width = Math.max(Math.min(to - from, whole[1] - whole[0]), Math.min(least, whole[1] - whole[0]));
    const start = Math.min(Math.max(from, whole[0]), whole[1] - width);
    range = [start, start + width];
    drawn.forEach((chart) => chart.setScale("x", { min: range[0], max: range[1] }));
  }

  // What nothing can be said of, and what nobody measured, is shaded in every chart and at least two
  // pixels wide: a gap is seen as one, however many windows there are.
  const unmeasured = data.starts.flatMap((start, i) => (missed(i) ? [[data.ends[i - 1], start]] : []));
  const blind = (data.lanes[0] || { stretches: [] }).stretches.filter((s) => s[2] === "insufficient").concat(unmeasured);

  function behind(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.fillStyle = ink.gap;
    for (const [from, to] of blind) {
      const left = Math.max(u.valToPos(from, "x", true), bbox.left);
      const right = Math.min(u.valToPos(to, "x", true), bbox.left + bbox.width);
      if (right > left) {
        ctx.fillRect(left, bbox.top, Math.max(right - left, 2 * devicePixelRatio), bbox.height);
      }
    }
    ctx.restore();
  }

  function marks(u, letters) {
    const { ctx, bbox } = u;
    const size = 11 * devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = ink.soft;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.font = `600 ${size}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    let last = -Infinity;
    for (const mark of data.marks.filter((m) => letters || m.everywhere)) {
      const x = u.valToPos(mark.at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) {
        continue;
      }
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (letters) {
        const place = Math.max(x, last + size * 0.9); // several at one moment stand in a row
        last = place;
        if (place <= bbox.left + bbox.width) { // the table below has them all
          ctx.fillText(mark.letter, place, bbox.top - 3 * devicePixelRatio);
        }
      }
    }
    ctx.restore();
  }

  // 02-03 is not March everywhere: dates are told as in ISO 8601, the year where it is new.
  function dates(u, ticks, axis, space, step) {
    let year = "";
    return ticks.map((at) => {
      const told = new Date(at * 1000).toISOString();
      const short = step >= 28 * 86400 ? told.slice(5, 7) : step >= 86400 ? told.slice(5, 10) : told.slice(11, 16);
      const first = step >= 86400 ? told.slice(0, 4) : told.slice(0, 10);
      const line = first === year ? short : `${short}\n${first}`;
      year = first;
      return line;
    });
  }

  function axes(unit) {
    const common = { stroke: ink.soft, grid: { stroke: ink.line, width: 1 }, ticks: { stroke: ink.line, width: 1 } };
    return [{ ...common, values: dates }, { ...common, size: 56, values: (_, ticks) => ticks.map((t) => t + (unit === "×" ? "×" : "")) }];
  }

  function base(element, height) {
    return {
      width: Math.max(element.clientWidth, 120),
      height,
      tzDate: utc,
      cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: "margins", scales: ["x", null] } },
      scales: { x: { min: range[0], max: range[1] } },
    };
  }

  function zoomed(u) {
    if (u.select.width > 4) {
      show(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
    }
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }

  function ranged(u, low, high) {
    if (!low && !high) {
      return [0, 1];
    }
    const most = Math.max(high, low + 1e-9);
    const floor = low >= 0 ? 0 : low * 1.08;
    return [floor, most * 1.12 || 1];
  }

  function chart(element, plot) {
    const styles = {
      value: { stroke: ink.link, width: 1.6, points: { size: 5, stroke: ink.link, fill: ink.link } },
      limit: { stroke: ink.bad, width: 1.4, dash: [6, 4], points: { show: false } },
      other: { stroke: ink.second, width: 1.4, dash: [2, 3], points: { show: false } },
    };
    const text = (_, value) => (value === null || value === undefined ? "–" : String(value));
    const options = {
      ...base(element, 170),
      scales: { x: { min: range[0], max: range[1] }, y: { range: ranged } },
      axes: axes(plot.unit),
      series: [
        { label: "window from", value: (_, at) => (at === null || at === undefined ? "–" : minute(at)) },
        ...plot.lines.map((line) => ({ label: line.label, value: text, spanGaps: false, ...styles[line.style] })),
      ],
      hooks: { drawClear: [behind], draw: [(u) => marks(u, false)], setSelect: [zoomed] },
    };
    return new uPlot(options, [times, ...plot.lines.map((line) => broken(line.values))], element);
  }

  // Heights tell states apart, the colour only helps.
  const FILLS = {
    drifting: ["bad", 1], open: ["bad", 1], steady: ["good", 0.45], closed: ["good", 0.2], insufficient: ["soft", 0.15], resting: ["mild", 0.6], revised: ["link", 0.4],
  };

  function lanes(element) {
    const { length } = data.lanes;
    const name = (place) => (data.lanes[length - 1 - Math.floor(place)] || {}).name || "";
    const options = {
      ...base(element, 50 + 30 * length),
      legend: { show: false },
      padding: [16, null, null, null],
      scales: { x: { min: range[0], max: range[1] }, y: { range: [0, length] } },
      axes: [
        axes("")[0],
        {
          ...axes("")[1], grid: { show: false }, size: 106,
          splits: () => data.lanes.map((_, i) => i + 0.5),
          values: (_, places) => places.map(name),
        },
      ],
      series: [{}, { stroke: "transparent", points: { show: false } }],
      hooks: { draw: [lane, (u) => marks(u, true)], setSelect: [zoomed] },
    };
    return new uPlot(options, [data.starts, data.starts.map(() => 0)], element);
  }

  function lane(u) {
    const { ctx, bbox } = u;
    const height = bbox.height / data.lanes.length;
    ctx.save();
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    data.lanes.forEach((of, place) => {
      const bottom = bbox.top + height * (place + 1) - 2;
      for (const [from, to, state] of of.stretches) {
        const left = Math.max(u.valToPos(from, "x", true), bbox.left);
        const right = Math.min(u.valToPos(to, "x", true), bbox.left + bbox.width);
        if (right <= left) {
          continue;
        }
        const fill = FILLS[state];
        if (fill) {
          const tall = (height - 6) * fill[1];
          ctx.fillStyle = ink[fill[0]];
          ctx.fillRect(left, bottom - tall, Math.max(right - left, devicePixelRatio), tall);
        } else {
          ctx.strokeStyle = ink.soft;
          ctx.strokeRect(left, bottom - height + 6, right - left, height - 8);
          ctx.fillStyle = ink.ink;
          if (right - left > ctx.measureText(state).width + 6) {
            ctx.fillText(state, left + 4 * devicePixelRatio, bottom - height / 2 + 2);
          }
        }
      }
    });
    ctx.restore();
  }

  function draw(element) {
    const before = drawn.get(element);
    if (before) {
      before.destroy();
    }
    drawn.set(element, makers.get(element)(element));
  }

  // With a script the table is text until somebody opens it: of years it has 50 000 elements.
  function table(details) {
    const held = details.querySelector("noscript");
    held.outerHTML = held.textContent;
  }

  function start() {
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          seen.unobserve(entry.target);
          draw(entry.target);
        }
      }
    }, { rootMargin: "300px" });
    document.querySelectorAll("[data-lanes]").forEach((e) => makers.set(e, lanes));
    document.querySelectorAll("[data-plot]").forEach((e) => {
      const plot = data.plots.find((p) => p.name === e.dataset.plot);
      makers.set(e, (element) => chart(element, plot));
    });
    makers.forEach((_, element) => seen.observe(element));
    addEventListener("beforeprint", () => makers.forEach((_, e) => drawn.has(e) || draw(e)));
    document.querySelectorAll("[data-table]").forEach((d) => d.addEventListener("toggle", () => table(d), { once: true }));
    document.querySelectorAll("[data-zoom]").forEach((b) => b.addEventListener("click", () => zoom(b.dataset.zoom)));
    document.querySelectorAll(".zoom").forEach((z) => z.removeAttribute("hidden"));
    document.addEventListener("dblclick", (event) => event.target.closest(".plot") && show(...whole));
    document.addEventListener("theme", again);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth !== width) {
        width = innerWidth;
        drawn.forEach((u, element) => u.setSize({ width: element.clientWidth, height: u.height }));
      }
    });
  }

  function again() {
    ink = colours();
    [...drawn.keys()].forEach(draw);
  }

  function zoom(how) {
    const width = range[1] - range[0];
    const step = { in: [0.25, -0.25], out: [-0.5, 0.5], back: [-0.5, -0.5], forth: [0.5, 0.5] }[how];
    if (step) {
      show(range[0] + width * step[0], range[1] + width * step[1]);
    } else {
      show(...whole);
    }
  }

  start();
})();
