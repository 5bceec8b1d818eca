import { requireServed } from '../catalogue/require-served.ts';
import type { Admission, AdmissionRequest, AdmissionTicket } from './admission.ts';

/** Nothing was taken, so there is nothing to give back. */
const FREE_TICKET: AdmissionTicket = {
  settle: () => Promise.resolve(),
  release: () => Promise.resolve(),
};

/** Admits everybody as long as a worker serves the model. */
export class AdmitWhileServed implements Admission {
  async admit(request: AdmissionRequest): Promise<AdmissionTicket> {
    requireServed(request.model);
    return FREE_TICKET;
  }
}
