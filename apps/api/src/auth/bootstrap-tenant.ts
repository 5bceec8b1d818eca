import { TenantRecord } from '#admission';

/** The tenant of `MILLRACE_DEV_KEY`: no limits, unless an operator stores a tenant of this id. */
export const BOOTSTRAP_TENANT = TenantRecord.parse({ id: 'dev', name: 'MILLRACE_DEV_KEY', queueShare: 1 });
