// Asking with a file: its bytes go to the API, which tells how far it is, and then the answers are shown.
"use strict";

(() => {
  const form = document.getElementById("upload");
  if (!form) return;
  const progress = document.getElementById("upload-progress");
  const said = document.getElementById("upload-said");
  const POLL_MS = 700;
  const MOST = 100_000_000;
  const pause = ms => new Promise(done => setTimeout(done, ms));

  async function follow(id) {
    for (;;) {
      const answer = await fetch(`/api/v1/jobs/${id}`);
      const job = await answer.json();
      if (!answer.ok) throw new Error(job.detail);
      if (job.state === "failed") throw new Error(job.reason);
      if (job.state === "done") return job;
      progress.value = job.fraction;
      const text = job.state === "waiting" ? `Waiting; ${job.ahead} before it` : "Listening: separating, then measuring. This takes a while.";
      if (said.textContent !== text) said.textContent = text;
      await pause(POLL_MS);
    }
  }

  form.addEventListener("submit", async event => {
    event.preventDefault();
    const file = document.getElementById("upload-file").files[0];
    if (!file) return;
    if (file.size > MOST) { said.textContent = "That is more than 100 MB."; return; }
    const button = form.querySelector("button");
    button.disabled = true;
    progress.hidden = false;
    said.textContent = "Sending";
    try {
      const answer = await fetch(`/api/v1/uploads?name=${encodeURIComponent(file.name.slice(0, 200))}`, {
        method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" },
      });
      const job = await answer.json();
      if (!answer.ok) throw new Error(job.detail);
      const done = await follow(job.job_id);
      location.href = `/asked/${done.upload}`;
    } catch (error) {
      said.textContent = `That did not work: ${error.message}`;
      progress.hidden = true;
      button.disabled = false;
    }
  });
})();
