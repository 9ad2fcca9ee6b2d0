// The live stream. The browser connects again by itself and says where it stood.

export function listen(onUpdate, onReset) {
  const mark = document.getElementById("live");
  const show = (state, text) => {
    mark.dataset.state = state;
    if (mark.textContent !== text) mark.textContent = text;
  };
  let source = null;
  const open = () => {
    source = new EventSource("/api/stream");
    source.addEventListener("hello", () => show("on", "live"));
    source.addEventListener("reset", () => { show("on", "live"); onReset(); });
    source.addEventListener("update", (event) => { show("on", "live"); onUpdate(JSON.parse(event.data)); });
    source.addEventListener("status", (event) => {
      const told = JSON.parse(event.data);
      show(told.connected ? "on" : "off", told.connected ? "live" : "not live: Kafka is away");
    });
    source.addEventListener("error", () => {
      show("wait", "connecting again");
      // A refusal ends an EventSource for good.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 5000);
    });
  };
  open();
  addEventListener("pagehide", () => source.close());
}
