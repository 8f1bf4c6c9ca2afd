/* Browsers refuse workers to pages that are read from disk: there the search runs in a hidden frame instead. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.appendChild(this.frame)
      const inner = this.frame.contentWindow
      const outer = this
      inner.postMessage = undefined
      inner.document.open()
      inner.document.write("<!doctype html><title>search</title>")
      inner.document.close()
      const answer = data => {
        const event = new MessageEvent("message", { data })
        outer.dispatchEvent(event)
        if (outer.onmessage) outer.onmessage(event)
      }
      this.listeners = []
      const load = address => new Promise((resolve, reject) => {
        const script = inner.document.createElement("script")
        script.src = address
        script.onload = resolve
        script.onerror = () => reject(new Error(address))
        inner.document.body.appendChild(script)
      })
      inner.postMessage = answer
      inner.importScripts = (...addresses) =>
        addresses.reduce((before, address) => before.then(() => load(address)), Promise.resolve())
      inner.addEventListener = (kind, listener) => { if (kind === "message") this.listeners.push(listener) }
      load(url).then(() => { this.waiting.splice(0).forEach(data => this.postMessage(data)) })
      this.inner = inner
    }
    postMessage(data) {
      if (!this.listeners.length) { this.waiting.push(data); return }
      this.listeners.forEach(listener => listener({ data }))
    }
    terminate() { this.frame.remove() }
  }
}
