/**
 * A worker's code: imports the module that it is sent the URL of, and answers with the names of the
 * platform's globals which that touched, or made ("new"). `page` names the globals of a page, which
 * are trapped as well although there are none in a worker; `language` those that anybody may use.
 */
globalThis.onmessage = async ({ data: { url, page, language } }) => {
  const touched = new Set();
  const answer = globalThis.postMessage.bind(globalThis);

  function trap(owner, name, property) {
    if (language.includes(name) || name === "constructor") return;
    if (!property.configurable) {
      // Unless it is a plain number the probe would be blind there, which is worth an answer too.
      if (typeof property.value !== "number") touched.add(`${name} (fixed)`);
      return;
    }
    Object.defineProperty(owner, name, {
      configurable: true,
      get() {
        touched.add(name);
        return property.get === undefined ? property.value : property.get.call(globalThis);
      },
      set() {
        touched.add(name);
      },
    });
  }

  for (let owner = globalThis; owner !== Object.prototype; owner = Object.getPrototypeOf(owner)) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(owner))) {
      trap(owner, name, property);
    }
  }
  for (const name of page) {
    if (!(name in globalThis)) trap(globalThis, name, { configurable: true });
  }
  const before = Object.getOwnPropertyNames(globalThis);
  try {
    await import(url);
  } catch (error) {
    touched.add(`${error}`);
  }
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!before.includes(name)) touched.add(`${name} (new)`);
  }
  answer([...touched]);
};
