// Asks the browser for a passkey and sends what it says. A page whose form says data-passkey is about nothing else.
"use strict";

(function () {
  const form = document.querySelector("form[data-passkey]");
  if (!form) return;

  async function ask() {
    const options = JSON.parse(form.dataset.options);
    if (form.dataset.passkey === "create") {
      return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
    }
    return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  }

  // Cancelled, no key of this site, or a browser that is too old: the page offers the other ways.
  ask()
    .then((credential) => {
      form.elements.credential.value = JSON.stringify(credential.toJSON());
      form.submit();
    })
    .catch(() => {
      document.getElementById("passkey-failed").hidden = false;
    });
})();
