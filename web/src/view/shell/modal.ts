/** A dialog element that is open while a condition holds. */

import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** Opens and closes the dialog before anything is painted: the next key belongs to it already.
 *  @param whenOpened changes when the dialog is to be opened anew; falsy while it is closed
 *  @param focused selects the element that gets the focus; the browser chooses by default */
export const useModal = (whenOpened: unknown, focused?: string): RefObject<HTMLDialogElement> => {
  const place = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    if (whenOpened) {
      place.current?.showModal();
      if (focused !== undefined) place.current?.querySelector<HTMLElement>(focused)?.focus();
    } else place.current?.close();
  }, [whenOpened]);
  return place;
};
