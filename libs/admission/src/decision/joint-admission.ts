import type { Redis } from 'ioredis';
import { redisCall } from '#queue';
import { REMEMBER_MS, type Reservation, type ReserveAnswer, type TenantAccount } from '../accounts/tenant-account.ts';
import type { Clock } from '../clock.ts';
import { LuaScript } from '../lua/lua-script.ts';
import type { ModelPlaces, PlaceAnswer, PlaceRequest } from '../places/model-places.ts';

const admit = new LuaScript('admit', 19);

/** What a tenant's account and a model's queue say to a request. */
export interface JointAnswer {
  readonly reserved: ReserveAnswer;
  /** Null when nothing was reserved. Whatever it refuses, nothing is reserved. */
  readonly place: PlaceAnswer | null;
}

/** A Redis Cluster has tenants and models on different nodes, and says so before it does anything. */
const APART = 'CROSSSLOT';

/** Asks a tenant's account and a model's queue in one round trip, where one Redis has both. */
export class JointAdmission {
  readonly #redis: Redis;
  readonly #clock: Clock;
  #apart = false;

  constructor(redis: Redis, clock: Clock) {
    this.#redis = redis;
    this.#clock = clock;
  }

  /**
   * @returns null where the two have to be asked one by one
   * @throws MillraceError unavailable; then it may have been admitted all the same
   */
  async admit(
    account: TenantAccount,
    wanted: Reservation,
    places: ModelPlaces,
    wantedPlace: PlaceRequest,
  ): Promise<JointAnswer | null> {
    if (this.#apart) return null;
    const reservation = account.reserveCall(wanted);
    const place = places.takeCall(wantedPlace);
    const keys = [...reservation.keys, ...place.keys];
    const args = [REMEMBER_MS, reservation.args.length, ...reservation.args, ...place.args];
    const purpose = `${admit.name} for tenant ${account.tenantId}, model ${places.model}`;
    const answer = await redisCall(this.#redis, purpose, async () => {
      try {
        return await admit.run(this.#redis, keys, [this.#clock.scriptTime(), ...args]);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith(APART)) throw error;
        this.#apart = true;
        return null;
      }
    });
    if (answer === null) return null;
    const [reserved, placed] = answer as [unknown[], unknown[]?];
    return {
      reserved: account.reserveAnswerOf(reserved, wanted),
      place: placed === undefined ? null : places.answerOf(placed),
    };
  }
}
