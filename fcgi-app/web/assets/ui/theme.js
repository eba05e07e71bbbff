/* Before anything is painted: the colours that were chosen here, if any were. */
(() => {
  try {
    const theme = localStorage.getItem("hoist-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    /* No storage: as the system has it. */
  }
})();
