/**
 * What runs in a browser to ask for a passkey: it posts the answer as the form's field. Without it,
 * or in a browser that lacks it, a code does as well.
 */
export const PASSKEY_SCRIPT = `'use strict';
const form = document.getElementById('passkey');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(form.dataset.options));
  try {
    const credential = await navigator.credentials.get({ publicKey });
    form.elements.passkey.value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch {
    document.getElementById('passkey-fault').hidden = false;
  }
});
`;
