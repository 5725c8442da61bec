// The websocket's frames: connects, acknowledges, resumes after a break, begins anew when told to.
//
// Events: "state" {state, since}, "hello" (the frame), "stored" {seq}, "reset" {reason}, "history"
// {records}: what a fresh page, or one with another filter, begins with; and "run" {records, count,
// matched, missed}: of `count` records some of the `matched` that pass the filter, all of these where
// they were `missed` meanwhile; and "alert" (the frame). A record's amount is a string of digits, since it may be over
// 2^53.
import { answerOf } from "../looks/asking.js";

const BACKOFF_MS = 500;
const BACKOFF_MS_MAX = 10_000;
const CREDENTIALS_ENDED = 4003;
const UNREADABLE_QUERY = 4007;
// Somebody who types a filter is waited for.
const TYPING_MS = 300;
// A server that accepts the connection and then says nothing is tried again.
const HELLO_MS_MAX = 10_000;
// A server with nothing to tell says so; one that is this late is not heard any more, and one that misses
// this many times is gone.
const LATE_MS = 2_000;
const ALIVE_MISSED_MAX = 2.5;

export class Feed extends EventTarget {
  #path; #startUrl; #epoch = null; #seq = 0; #head = 0; #socket = null; #lastSeen = null;
  #tries = 0; #timer = 0; #silence = 0; #silentMs = HELLO_MS_MAX;
  // How long a server may say nothing before that is told, 0 until it has said so; whether it was told.
  #quiet = 0; #quietMs = 0; #isQuiet = false;
  // Runs read and not yet acknowledged, and how many of them the server wants acknowledged at once.
  #unacknowledged = 0; #acknowledgeEvery = 1;
  // What the server is asked for; the latest attempt to connect, which alone counts; and the records
  // so far of a beginning, null once it is over.
  #filter = {}; #turn = 0; #history = null;

  constructor(path, startUrl) {
    super();
    this.#path = path;
    this.#startUrl = startUrl;
  }

  get seq() { return this.#seq; }

  async connect() {
    clearTimeout(this.#timer);
    const turn = (this.#turn += 1);
    try {
      const start = this.#epoch === null ? await answerOf(this.#startUrl) : null;
      if (turn !== this.#turn) return;
      if (start) this.#begin(start);
    } catch {
      return turn === this.#turn && this.#again();
    }
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const query = new URLSearchParams({ frames: "1", since: this.#seq, epoch: this.#epoch, ...this.#filter });
    const socket = (this.#socket = new WebSocket(`${scheme}://${location.host}${this.#path}?${query}`));
    this.#silentMs = HELLO_MS_MAX;
    this.#quietMs = 0;
    this.#listen();
    socket.onmessage = (event) => socket === this.#socket && this.#take(JSON.parse(event.data));
    socket.onclose = (event) => socket === this.#socket && this.#closed(event.code);
  }

  // From now on only records of this {status, user, amount_min, amount_max}, as far as given: the server
  // filters before it samples. Begins anew, a while back, with a connection that asks for it.
  filter(wanted) {
    this.#filter = wanted;
    if (this.#turn === 0) return;
    const socket = this.#socket;
    this.#turn += 1;
    this.#socket = this.#epoch = null;
    socket?.close();
    this.#stopListening();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.connect(), TYPING_MS);
  }

  // Drops a connection that the rest of the page found to be dead.
  restart() {
    if (this.#socket === null) return;
    const socket = this.#socket;
    this.#closed(0);
    socket.close();
  }

  // Every frame starts the clock anew: a connection may be dead without either end having said so.
  // So one that is silent is told first, and given up later: it may only have been held up.
  #listen() {
    this.#stopListening();
    this.#silence = setTimeout(() => this.restart(), this.#silentMs);
    if (this.#quietMs) this.#quiet = setTimeout(() => this.#fallQuiet(), this.#quietMs);
  }

  #stopListening() {
    clearTimeout(this.#silence);
    clearTimeout(this.#quiet);
  }

  #fallQuiet() {
    this.#isQuiet = true;
    this.#tell("state", { state: "stale", since: this.#lastSeen });
  }

  #begin({ epoch, since, since_filtered }) {
    this.#epoch = epoch;
    this.#seq = Object.keys(this.#filter).length > 0 ? since_filtered : since;
    this.#history = [];
  }

  #take(frame) {
    this.#lastSeen = new Date();
    if (this.#isQuiet) this.#tell("state", { state: "live" });
    this.#isQuiet = false;
    this.#listen();
    if (frame.type === "hello") this.#greet(frame);
    else if (frame.type === "run") this.#run(frame);
    else if (frame.type === "stored") this.#tell("stored", { seq: frame.seq });
    else if (frame.type === "reload") this.#reload(frame.reason);
    else if (frame.type === "alert") this.#tell("alert", frame);
  }

  #greet(hello) {
    this.#tries = 0;
    this.#silentMs = hello.alive_seconds * 1000 * ALIVE_MISSED_MAX;
    this.#quietMs = hello.alive_seconds * 1000 + LATE_MS;
    this.#listen();
    this.#acknowledgeEvery = hello.acknowledge_every;
    this.#unacknowledged = 0;
    if (this.#epoch && hello.epoch !== this.#epoch) this.#tell("reset", { reason: "new books" });
    this.#epoch = hello.epoch;
    this.#head = hello.accepted;
    this.#tell("hello", hello);
    this.#tell("stored", { seq: hello.stored });
    this.#tell("state", { state: "live" });
    this.#endHistory();
  }

  #run(frame) {
    // What a resumed connection repeats was shown before.
    const records = frame.records.filter((record) => record.seq > this.#seq);
    if (frame.last > this.#seq) {
      const repeated = frame.first <= this.#seq;
      const count = frame.last - Math.max(frame.first - 1, this.#seq);
      this.#seq = frame.last;
      if (this.#history) this.#history.push(...records);
      else {
        const matched = repeated ? records.length : frame.matched;
        this.#tell("run", { records, count, matched, missed: frame.last <= this.#head });
      }
      this.#endHistory();
    }
    this.#unacknowledged += 1;
    if (this.#unacknowledged >= this.#acknowledgeEvery) {
      this.#unacknowledged = 0;
      this.#socket?.send(JSON.stringify({ ack: frame.last }));
    }
  }

  #endHistory() {
    if (!this.#history || this.#seq < this.#head) return;
    const records = this.#history;
    this.#history = null;
    this.#tell("history", { records });
  }

  #reload(reason) {
    this.#epoch = null;
    this.#tell("reset", { reason });
    this.restart();
  }

  #closed(code) {
    this.#stopListening();
    this.#socket = null;
    if (code === CREDENTIALS_ENDED) return this.#tell("state", { state: "ended", since: this.#lastSeen });
    if (code === UNREADABLE_QUERY) this.#epoch = null;
    this.#again();
  }

  #again() {
    const state = this.#tries === 0 && !this.#isQuiet ? "resuming" : "stale";
    this.#isQuiet = false;
    this.#tell("state", { state, since: this.#lastSeen });
    const wait = Math.min(BACKOFF_MS * 2 ** this.#tries, BACKOFF_MS_MAX) * (0.5 + Math.random() / 2);
    this.#tries += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.connect(), wait);
  }

  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}
