// Logs in and goes to the page; what is refused is said here.
const form = document.getElementById("login");
const said = document.getElementById("said");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = "";
  const { account, password } = Object.fromEntries(new FormData(form));
  try {
    const response = await fetch("/api/v1/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ account, password }),
    });
    if (response.ok) return location.assign("/");
    const wait = response.headers.get("Retry-After");
    said.textContent = wait
      ? `请等 ${wait} 秒 Wait ${wait} s`
      : "账号或密码不对 Account and password do not fit";
  } catch {
    said.textContent = "连不上服务器 The centre does not answer";
  }
});
