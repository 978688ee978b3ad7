"use strict";
/* Draws each meter when it comes near the screen. Times are local ones, kept as if they
   were UTC: so a browser anywhere shows the hours of the meter. */
(() => {
  const HOUR = 3600, DAY = 86400;
  const SEASONS = { "Dec – Feb": [12, 1, 2], "Mar – May": [3, 4, 5], "Jun – Aug": [6, 7, 8], "Sep – Nov": [9, 10, 11] };
  const RAMP = ["#20124d", "#2f4b9c", "#20808d", "#4fb26b", "#c5d94a", "#fff3b0"];
  const BOTH = ["#1f4e9e", "#7fa9dc", "#eef1f4", "#f0a875", "#a8321a"];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");
  const day = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
  const weekday = (seconds) => ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][new Date(seconds * 1000).getUTCDay()];
  const shown = (kw) => kw == null ? "no reading" : kw.toLocaleString("en", { maximumFractionDigits: 2 }) + " kW";

  /* kW of each hour: what came in it, over the time for which it came. */
  function load(data) {
    const seconds = new Map(data.seconds);
    const kw = (values) => values && values.map((kwh, n) => {
      const whole = seconds.get(n) ?? data.step;
      return kwh == null || !whole ? null : kwh * HOUR / whole;
    });
    const start = Date.parse(data.start + "T00:00Z") / 1000;
    return { start, step: data.step, at: data.kwh.map((_, n) => start + n * data.step), kw: kw(data.kwh),
      sent: kw(data.sent), absent: new Set(data.absent), again: data.again };
  }

  function mixed(stops, share) {
    const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
    const n = Math.min(stops.length - 2, Math.floor(place));
    return [1, 3, 5].map((at) => {
      const [a, b] = [stops[n], stops[n + 1]].map((hex) => parseInt(hex.slice(at, at + 2), 16));
      return Math.round(a + (b - a) * (place - n));
    });
  }

  function scaleOf(values) {
    const known = values.filter((one) => one != null).sort((a, b) => a - b);
    const at = (share) => known[Math.min(known.length - 1, Math.floor(share * known.length))] ?? 0;
    const high = at(0.99) || 1, low = at(0.01);
    if (low < 0) {
      const far = Math.max(high, -low);
      return { low: -far, high: far, of: (kw) => mixed(BOTH, (kw + far) / (2 * far)) };
    }
    return { low: 0, high, of: (kw) => mixed(RAMP, kw / high) };
  }

  function canvasOf(canvas) {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const brush = canvas.getContext("2d");
    brush.scale(ratio, ratio);
    return { brush, width, height };
  }

  /* One pixel for each hour of each day, stretched. */
  function heat(place, series, onPick) {
    const days = series.kw.length / 24, scale = scaleOf(series.kw);
    const pixels = new ImageData(days, 24);
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour("missing").slice(at, at + 2), 16));
    series.kw.forEach((kw, n) => {
      if (series.absent.has(n)) return;
      pixels.data.set([...(kw == null ? [r, g, b] : scale.of(kw)), 255], 4 * ((n % 24) * days + Math.floor(n / 24)));
    });
    const small = Object.assign(document.createElement("canvas"), { width: days, height: 24 });
    small.getContext("2d").putImageData(pixels, 0, 0);
    const canvas = place.querySelector("canvas"), { brush, width, height } = canvasOf(canvas);
    const left = 34, top = 4, below = 20, wide = width - left, high = height - top - below;
    brush.imageSmoothingEnabled = false;
    brush.drawImage(small, left, top, wide, high);
    brush.fillStyle = colour("soft");
    brush.font = "11px system-ui, sans-serif";
    brush.textBaseline = "middle";
    brush.textAlign = "right";
    for (const hour of [0, 6, 12, 18, 24]) brush.fillText(String(hour).padStart(2, "0"), left - 8, top + 1 + high * hour / 24);
    brush.textAlign = "left";
    let free = 0;
    for (let n = 0; n < days; n++) {
      const at = series.start + n * DAY, x = left + wide * n / days, name = day(at);
      if (!name.endsWith("-01") || x < free || x > width - 30) continue;
      const label = month(at, name.slice(5, 7) === "01" || !free);
      brush.fillText(label, x, height - 8);
      brush.fillRect(x, top + high, 1, 4);
      free = x + brush.measureText(label).width + 12;
    }
    const tip = place.querySelector(".tip");
    const under = (event) => {
      const box = canvas.getBoundingClientRect();
      const x = Math.floor((event.clientX - box.left - left) / wide * days);
      const y = Math.floor((event.clientY - box.top - top) / high * 24);
      return x >= 0 && x < days && y >= 0 && y < 24 ? x * 24 + y : null;
    };
    canvas.onpointermove = (event) => {
      const n = under(event), box = canvas.getBoundingClientRect();
      tip.hidden = n == null;
      if (n == null) return;
      tip.textContent = weekday(series.at[n]) + " " + day(series.at[n]) + " " + String(n % 24).padStart(2, "0") + ":00  "
        + (series.absent.has(n) ? "no such hour" : shown(series.kw[n]));
      const half = tip.offsetWidth / 2;
      tip.style.left = Math.min(box.width - half, Math.max(half, event.clientX - box.left)) + "px";
      tip.style.top = Math.max(34, event.clientY - box.top) + "px";
    };
    canvas.onpointerleave = () => { tip.hidden = true; };
    canvas.onclick = (event) => { const n = under(event); if (n != null) onPick(series.at[n]); };
    const ramp = place.querySelector(".ramp canvas"), line = canvasOf(ramp);
    for (let x = 0; x < line.width; x++) {
      line.brush.fillStyle = `rgb(${scale.of(scale.low + (scale.high - scale.low) * x / line.width)})`;
      line.brush.fillRect(x, 0, 1, line.height);
    }
    place.querySelector(".low").textContent = shown(scale.low);
    place.querySelector(".high").textContent = shown(scale.high) + " and more";
  }

  const axis = (more) => ({ stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1 }, font: "11px system-ui, sans-serif", ...more });
  const month = (at, year) => new Date(at * 1000).toLocaleString("en", { month: "short", timeZone: "UTC" })
    + (year ? " " + day(at).slice(0, 4) : "");
  /* 14 Mar, 06:00, Mar, Jan 2017: whatever the next label is apart. */
  const moments = (_, at, __, ___, apart) => at.map((one, n) => one % DAY ? new Date(one * 1000).toISOString().slice(11, 16)
    : apart < 28 * DAY ? new Date(one * 1000).getUTCDate() + " " + month(one, !n)
    : month(one, !n || day(one).slice(5, 7) === "01"));
  /* A reading between two that are missing is no line: a point. */
  const alone = (plot, n) => plot.data[n].flatMap((kw, at, all) => kw != null && all[at - 1] == null && all[at + 1] == null ? [at] : []);
  const line = (label, name, more) => ({ label, stroke: colour(name), width: 1.3, points: { show: true, size: 4, filter: alone },
    value: (_, kw) => kw == null ? "–" : shown(kw), ...more });

  /* Load over time: drag to zoom, double click for all; or by the buttons. */
  function overTime(place, series, kept) {
    const first = series.at[0], last = series.at[series.at.length - 1] + series.step;
    const told = place.querySelector("output"), room = place.querySelector(".plot");
    const marks = (plot) => {
      const { ctx, bbox } = plot, at = (x) => plot.valToPos(x, "x", true), width = Math.max(1, at(series.step) - at(0));
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.fillStyle = colour("missing");
      series.kw.forEach((kw, n) => {
        if (kw == null && !series.absent.has(n)) ctx.fillRect(at(series.at[n]), bbox.top, width, bbox.height);
      });
      ctx.fillStyle = colour("orange");
      for (const one of series.again) {
        const from = at(Date.parse(one + "T00:00Z") / 1000);
        ctx.fillRect(from, bbox.top + bbox.height - 5, Math.max(3, at(DAY) - at(0)), 5);
      }
      ctx.restore();
    };
    const rows = [series.at, series.kw], lines = [line("delivered", "blue", { fill: colour("blue-soft") })];
    lines[0].label = room.dataset.label;
    if (series.sent) { rows.push(series.sent); lines.push(line("exported", "green", {})); }
    const plot = new uPlot({
      width: room.clientWidth, height: 270, tzDate: utc, cursor: { drag: { x: true, y: false } },
      legend: { live: true }, scales: { x: { time: true, range: (_, low, high) => [low, high] } },
      series: [{ label: "time", value: "{YYYY}-{MM}-{DD} {HH}:{mm}" }, ...lines],
      axes: [axis({ values: moments, space: 70 }), axis({ size: 54, label: "kW", labelSize: 18, labelFont: "11px system-ui, sans-serif" })],
      hooks: { drawClear: [marks], setScale: [(self, key) => {
        if (key !== "x") return;
        const { min, max } = self.scales.x;
        kept.range = [min, max];
        told.textContent = day(min) + " to " + day(max - 1);
      }] },
    }, rows, room);
    const zoom = (from, to) => plot.setScale("x", { min: Math.max(first, from), max: Math.min(last, to) });
    const width = { week: 7 * DAY, month: 30 * DAY, all: last - first };
    place.querySelector(".tools").onclick = (event) => {
      const what = event.target.dataset.zoom;
      if (!what) return;
      const { min, max } = plot.scales.x, span = max - min;
      if (what === "earlier") { const from = Math.max(first, min - span); zoom(from, from + span); }
      else if (what === "later") { const to = Math.min(last, max + span); zoom(to - span, to); }
      else { const from = what === "all" ? first : Math.max(first, Math.min(min + span / 2 - width[what] / 2, last - width[what])); zoom(from, from + width[what]); }
    };
    if (kept.range) zoom(...kept.range); else zoom(first, last);
    return { plot, show: (at) => zoom(at - 3 * DAY, at + 4 * DAY) };
  }

  function small(room, height, rows, lines, x, y) {
    return new uPlot({ width: room.clientWidth, height, cursor: { drag: { x: false, y: false } },
      legend: { show: y.legend !== false }, scales: { x: { time: false }, y: y.range ? { range: y.range } : {} }, series: [x.series, ...lines],
      axes: [axis(x.axis), axis({ size: 46, ...y.axis })] }, rows, room);
  }

  /* The mean of each hour of the day, of working days and of weekends, by season. */
  function averageDay(place, series) {
    const means = Object.entries(SEASONS).map(([name, months]) => {
      const sums = [0, 1].map(() => Array.from({ length: 24 }, () => [0, 0]));
      series.kw.forEach((kw, n) => {
        const at = new Date(series.at[n] * 1000);
        if (kw == null || !months.includes(at.getUTCMonth() + 1)) return;
        const cell = sums[at.getUTCDay() % 6 === 0 ? 1 : 0][n % 24];
        cell[0] += kw;
        cell[1] += 1;
      });
      return { name, lines: sums.map((hours) => hours.map(([sum, n]) => n ? sum / n : null)) };
    }).filter(({ lines }) => lines.flat().some((one) => one != null));
    if (!means.length) { place.textContent = "No reading has a value."; return []; }
    const all = means.flatMap(({ lines }) => lines.flat()).filter((one) => one != null);
    const range = [Math.min(0, ...all), Math.max(...all) * 1.08 || 1];
    const rooms = means.map(({ name }) => {
      const room = document.createElement("div");
      room.append(Object.assign(document.createElement("h4"), { textContent: name }));
      return room;
    });
    place.replaceChildren(...rooms);  // all of them, so that each knows its width
    return means.map(({ lines }, n) => {
      return small(rooms[n], 170, [lines[0].map((_, n) => n), ...lines],
        [line("Mon – Fri", "blue", {}), line("Sat – Sun", "orange", {})],
        { series: { label: "hour", value: (_, n) => n == null ? "–" : n + ":00" }, axis: { incrs: [6], space: 20, values: (_, at) => at.map((hour) => hour + " h") } }, { range, legend: false });
    });
  }

  function duration(room, series) {
    const sorted = series.kw.filter((kw) => kw != null).sort((a, b) => b - a);
    if (!sorted.length) { room.textContent = "No reading has a value."; return []; }
    const share = sorted.map((_, n) => 100 * (n + 1) / sorted.length);
    return [small(room, 250, [share, sorted], [line("load", "blue", { fill: colour("blue-soft") })],
      { series: { label: "of the hours", value: (_, one) => one == null ? "–" : one.toFixed(1) + " %" },
        axis: { values: (_, at) => at.map((one) => one + " %") } }, { axis: { label: "kW", labelSize: 16 } })];
  }

  const drawn = new Map(), kept = new Map();
  function draw(article) {
    const source = article.querySelector("script[type='application/json']");
    if (!source) return;
    for (const plot of drawn.get(article) ?? []) plot.destroy();
    if (!kept.has(article)) kept.set(article, {});
    const series = load(JSON.parse(source.textContent)), plots = [];
    const time = overTime(article.querySelector(".over-time"), series, kept.get(article));
    plots.push(time.plot);
    if (series.step === HOUR) {
      heat(article.querySelector(".heat"), series, time.show);
      plots.push(...averageDay(article.querySelector(".four"), series), ...duration(article.querySelector(".duration"), series));
    }
    drawn.set(article, plots);
  }

  const articles = [...document.querySelectorAll("article")];
  const near = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) if (isIntersecting && !drawn.has(target)) draw(target);
  }, { rootMargin: "800px" });
  articles.forEach((one) => near.observe(one));
  const again = () => [...drawn.keys()].forEach(draw);
  let width = innerWidth, waiting;
  addEventListener("resize", () => {
    if (width === innerWidth) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(again, 150);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("beforeprint", () => articles.forEach((one) => drawn.has(one) || draw(one)));
  const choose = document.querySelector("nav select");
  if (choose) choose.onchange = () => { location.href = choose.value; };
})();
