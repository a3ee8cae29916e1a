/*
 * What the files of the edge share: configuration, the zone, the mirror, the
 * click in hand. Read ngx_http_leerpoort_click.c for the story of a click,
 * ngx_http_leerpoort_mirror.c for what may be believed of the mirror and when.
 */

#ifndef NGX_HTTP_LEERPOORT_H_INCLUDED
#define NGX_HTTP_LEERPOORT_H_INCLUDED

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "day.h"
#include "decide.h"
#include "fields.h"
#include "house.h"
#include "keys.h"
#include "product.h"
#include "ring.h"
#include "support_code.h"
#include "token.h"
#include "user_key.h"

#include "ngx_http_leerpoort_reply.h"

#define NGX_HTTP_LEERPOORT_ISSUERS 32 /* blocks in one configuration */

/* Keys of one click: the product, the alias, three users at a school, the
   school, three private users. */
#define NGX_HTTP_LEERPOORT_KEYS (3 + 2 * LP_TOKEN_USERS)


/* ---- configuration ---- */

/*
 * An issuer of tokens. rules.keys is replaced while the worker runs, when the
 * JWKS file changes; all else is read-only after start.
 * fingerprint: stands for all that makes a token of this issuer valid. A cached
 * token counts only while it is the same.
 */
typedef struct {
    ngx_str_t    name;
    ngx_str_t    jwks;         /* file */
    lp_issuer_t  rules;
    uint64_t     rules_print;  /* of everything but the keys */
    uint64_t     keys_print;   /* of the JWKS document in use */
    uint64_t     fingerprint;  /* of both */
    uint64_t     seen_print;   /* of the document last looked at */
    ngx_uint_t   doubtful;     /* other workers had newer keys */
    time_t       asked_at;     /* for keys that are not there */
    ngx_file_uniq_t  uniq;     /* the file as last looked at */
    off_t        size;
    struct timespec  mtime;
    ngx_uint_t   own;          /* Leerpoort's own sessions: HS256 allowed */
    ngx_uint_t   index;
    ngx_str_t    file;         /* where its block ends */
    ngx_uint_t   line;
} ngx_http_leerpoort_issuer_t;


typedef struct ngx_http_leerpoort_ticket_s  ngx_http_leerpoort_ticket_t;


/* leerpoort_auth of one location. */
typedef struct {
    ngx_array_t      names;    /* ngx_str_t, of issuers */
    uint32_t         issuers;  /* bits: their indexes */
    ngx_array_t      scopes;   /* ngx_str_t; one of them suffices; may be empty
                                  */
    ngx_str_t        wanted;   /* the scopes, with blanks between them */
    ngx_str_t        file;     /* where it stands */
    ngx_uint_t       line;
} ngx_http_leerpoort_auth_t;


typedef struct {
    ngx_str_t        text;     /* as configured */
    struct sockaddr *sockaddr;
    socklen_t        socklen;
    ngx_str_t        user;
    ngx_str_t        password;
    ngx_msec_t       timeout;
} ngx_http_leerpoort_redis_conf_t;


typedef struct {
    ngx_uint_t       on;
    ngx_str_t        spool;    /* folder; len 0: none */
    off_t            spool_size; /* bytes, of all workers together */
    ngx_uint_t       seen;     /* the directive stood somewhere */
} ngx_http_leerpoort_usage_conf_t;


typedef struct {
    ngx_array_t      issuers;  /* ngx_http_leerpoort_issuer_t */
    ngx_http_leerpoort_redis_conf_t  redis;
    lp_pepper_t     *pepper;
    uint64_t         pepper_print;
    ngx_shm_zone_t  *shm_zone;
    ngx_http_leerpoort_usage_conf_t  usage;

    ngx_addr_t       key_socket;   /* of leerpoort-keys; sockaddr NULL: none */

    ngx_str_t        click_file;   /* where leerpoort_click stands first */
    ngx_uint_t       click_line;   /* 0: nowhere */
    ngx_int_t        request_uri;  /* indexes of variables; set where a
                                      leerpoort_click has a value */
    ngx_int_t        content_length;
    ngx_str_t        metrics_file; /* likewise leerpoort_metrics */
    ngx_uint_t       metrics_line;

    ngx_array_t      auths;    /* ngx_http_leerpoort_auth_t * */
    lp_houses_t     *houses;   /* the built-in style of pages */
} ngx_http_leerpoort_main_conf_t;


typedef struct {
    ngx_flag_t       click;
    ngx_str_t        click_file; /* where leerpoort_click stands */
    ngx_uint_t       click_line;
    ngx_http_complex_value_t  *target;  /* of leerpoort_click; NULL: the
                                           request line has it */
    ngx_array_t     *tokens;   /* ngx_http_complex_value_t; NULL: default */
    ngx_http_complex_value_t  *login;
    ngx_str_t        public_url;
    lp_houses_t     *houses;   /* what pages look like; never NULL */
    ngx_uint_t       standing; /* an lp_problem_t of leerpoort_page; 0: none */
    ngx_str_t        activate;
    ngx_http_leerpoort_auth_t  *auth;   /* NULL: none */
    ngx_http_leerpoort_ticket_t  *ticket;  /* NULL: none */
    ngx_array_t     *content_hosts; /* lp_span_t */
    lp_hosts_t       hosts;
    time_t           token_time;
    time_t           mirror_time;
    time_t           stale;
} ngx_http_leerpoort_loc_conf_t;


/* ---- the zone: shared memory ---- */

typedef enum {
    NGX_HTTP_LEERPOORT_LINK_NONE = 0, /* slot free, or link down */
    NGX_HTTP_LEERPOORT_LINK_ARMED,    /* hears of changes, since armed_at */
    NGX_HTTP_LEERPOORT_LINK_TRUSTED   /* ... and may read the mirror */
} ngx_http_leerpoort_link_state_e;

/* Usage that has not reached Redis. */
typedef struct {
    uint64_t         events;      /* in memory: lost if the worker dies */
    uint64_t         batches;     /* ... that wait for a reply or the spool */
    uint64_t         spool_bytes; /* in files that this worker has locked */
} ngx_http_leerpoort_held_t;

/*
 * One nginx worker as the others see it. Times: CLOCK_MONOTONIC, ns. On a cache
 * line of its own, because each click writes `held`.
 */
typedef struct {
    _Alignas(64)
    ngx_pid_t        pid;        /* 0: free */
    uint64_t         started;    /* tells a reused pid apart */
    uint32_t         link;       /* ngx_http_leerpoort_link_state_e */
    uint32_t         redis_up;
    uint64_t         armed_at;
    uint64_t         confirmed_at; /* everything before has been heard */
    ngx_http_leerpoort_held_t  held;
} ngx_http_leerpoort_slot_t;

/* What the workers agree on about an issuer's keys. */
typedef struct {
    uint64_t         rules_print;
    uint64_t         keys_print;  /* of the newest good document; 0: none */
    uint64_t         complained;  /* of a broken one; 1: not readable */
} ngx_http_leerpoort_in_force_t;

#define NGX_HTTP_LEERPOORT_SLOTS   256
#define NGX_HTTP_LEERPOORT_CHANGES 4096

#define NGX_HTTP_LEERPOORT_BUCKETS 24

/* How the check of an API request ended. */
typedef enum {
    NGX_HTTP_LEERPOORT_API_PASSED = 0,
    NGX_HTTP_LEERPOORT_API_NO_TOKEN,
    NGX_HTTP_LEERPOORT_API_EXPIRED,
    NGX_HTTP_LEERPOORT_API_BAD_TOKEN,
    NGX_HTTP_LEERPOORT_API_NO_SCOPE,
    NGX_HTTP_LEERPOORT_API_UNAVAILABLE,
    NGX_HTTP_LEERPOORT_API_RESULTS
} ngx_http_leerpoort_api_result_e;

typedef struct {
    ngx_atomic_t     bucket[NGX_HTTP_LEERPOORT_BUCKETS + 1];
    ngx_atomic_t     sum; /* ns for own time, us for round trips */
} ngx_http_leerpoort_histogram_t;

/* Counters of the workers with one number, on cache lines of their own. */
typedef struct {
    ngx_atomic_t     clicks[LP_OUTCOMES];
    ngx_atomic_t     refused[LP_JOSE_ERRORS];
    ngx_atomic_t     api[NGX_HTTP_LEERPOORT_API_RESULTS];
    ngx_atomic_t     mirror_hit;
    ngx_atomic_t     mirror_miss;
    ngx_atomic_t     mirror_stale;
    ngx_atomic_t     token_hit;
    ngx_atomic_t     token_miss;
    ngx_atomic_t     asked;
    ngx_atomic_t     joined;
    ngx_atomic_t     not_stored;
    ngx_atomic_t     timeouts;
    ngx_atomic_t     errors;
    ngx_atomic_t     connects;
    ngx_atomic_t     links_lost;
    ngx_atomic_t     invalidations;
    ngx_atomic_t     unreadable;
    ngx_atomic_t     jwks_loaded;
    ngx_atomic_t     jwks_broken;
    ngx_atomic_t     keys_asked;
    ngx_atomic_t     keys_not_asked;
    ngx_atomic_t     tickets;
    ngx_atomic_t     tickets_failed;
    ngx_atomic_t     usage_produced;
    ngx_atomic_t     usage_stored;
    ngx_atomic_t     usage_spooled;
    ngx_atomic_t     usage_dropped;
    ngx_atomic_t     usage_lost;
    ngx_http_leerpoort_histogram_t  own_hit;
    ngx_http_leerpoort_histogram_t  own_miss;
    ngx_http_leerpoort_histogram_t  round_trip;
} ngx_http_leerpoort_counters_t;

#define NGX_HTTP_LEERPOORT_COUNTERS 16 /* sets; workers share them beyond */

typedef struct {
    uint64_t         layout;     /* tells another build's zone apart */
    uint64_t         epoch;
    uint64_t         covered;    /* some worker is trusted */
    uint64_t         stale_floor; /* older epochs are known to be wrong */
    uint64_t         beat_wanted; /* by a worker that waits for a witness */
    ngx_http_leerpoort_in_force_t  in_force[NGX_HTTP_LEERPOORT_ISSUERS];
    uint32_t         changes[NGX_HTTP_LEERPOORT_CHANGES];
    ngx_http_leerpoort_slot_t      slots[NGX_HTTP_LEERPOORT_SLOTS];
    ngx_http_leerpoort_counters_t  counters[NGX_HTTP_LEERPOORT_COUNTERS];
} ngx_http_leerpoort_shared_t;

typedef struct {
    ngx_slab_pool_t              *shpool;
    ngx_http_leerpoort_shared_t  *sh;
    lp_ring_t                    *ring;
} ngx_http_leerpoort_zone_t;

void ngx_http_leerpoort_lock(ngx_http_leerpoort_zone_t *zone);
void ngx_http_leerpoort_unlock(ngx_http_leerpoort_zone_t *zone);
uint64_t ngx_http_leerpoort_now_ns(void);


/* ---- the epoch and the slots: who may believe the mirror ---- */

void ngx_http_leerpoort_slot_take(ngx_http_leerpoort_zone_t *zone);
void ngx_http_leerpoort_slot_release(ngx_http_leerpoort_zone_t *zone);
void ngx_http_leerpoort_slot_redis(ngx_uint_t up);
void ngx_http_leerpoort_slot_armed(ngx_http_leerpoort_zone_t *zone);
void ngx_http_leerpoort_slot_confirmed(ngx_http_leerpoort_zone_t *zone,
    uint64_t at);
void ngx_http_leerpoort_slot_lost(ngx_http_leerpoort_zone_t *zone);
void ngx_http_leerpoort_slot_sweep(ngx_http_leerpoort_zone_t *zone);
ngx_uint_t ngx_http_leerpoort_slot_trusted(uint64_t now);
ngx_http_leerpoort_held_t *ngx_http_leerpoort_slot_held(void);
ngx_http_leerpoort_held_t ngx_http_leerpoort_slots_held(
    ngx_http_leerpoort_zone_t *zone);


/* ---- a connection to Redis ---- */

typedef struct ngx_http_leerpoort_redis_s  ngx_http_leerpoort_redis_t;

/* Called on the connection's events; none may close it, but for dropping. */
typedef struct {
    /* writes what follows the greeting; called once it is answered */
    void  (*up)(ngx_http_leerpoort_redis_t *redis);
    /* one whole reply; returns NGX_ERROR to drop the connection */
    ngx_int_t  (*reply)(ngx_http_leerpoort_redis_t *redis);
    void  (*down)(ngx_http_leerpoort_redis_t *redis);
} ngx_http_leerpoort_redis_events_t;

typedef enum {
    NGX_HTTP_LEERPOORT_REDIS_IDLE = 0,
    NGX_HTTP_LEERPOORT_REDIS_CONNECTING,
    NGX_HTTP_LEERPOORT_REDIS_GREETING, /* AUTH and PING are on their way */
    NGX_HTTP_LEERPOORT_REDIS_UP,
    NGX_HTTP_LEERPOORT_REDIS_WAITING   /* until the next try */
} ngx_http_leerpoort_redis_state_e;

struct ngx_http_leerpoort_redis_s {
    const char                               *name;  /* for the log */
    const ngx_http_leerpoort_redis_events_t  *events;
    ngx_http_leerpoort_redis_conf_t          *conf;
    ngx_log_t                                *log;

    ngx_http_leerpoort_redis_state_e          state;
    ngx_connection_t                         *connection;
    lp_reply_t                                reply;
    ngx_uint_t                                greetings; /* not answered yet */
    ngx_uint_t                                failures;  /* in a row */
    ngx_msec_t                                up_since;
    const char                               *complaint; /* last one logged */

    u_char                                   *out;
    size_t                                    out_len, out_sent, out_cap;

    ngx_event_t                               flush;  /* posted */
    ngx_event_t                               timer;  /* greeting, back-off */
};

void ngx_http_leerpoort_redis_init(ngx_http_leerpoort_redis_t *redis,
    const char *name, const ngx_http_leerpoort_redis_events_t *events,
    ngx_http_leerpoort_redis_conf_t *conf, ngx_log_t *log);
void ngx_http_leerpoort_redis_connect(ngx_http_leerpoort_redis_t *redis);
ngx_int_t ngx_http_leerpoort_redis_send(ngx_http_leerpoort_redis_t *redis,
    const lp_span_t *args, size_t n);
void ngx_http_leerpoort_redis_drop(ngx_http_leerpoort_redis_t *redis,
    const char *reason);
void ngx_http_leerpoort_redis_proved(ngx_http_leerpoort_redis_t *redis);
void ngx_http_leerpoort_redis_close(ngx_http_leerpoort_redis_t *redis);


/* ---- the mirror ---- */

/* How much of a mirrored hash a reader asks to be true. */
typedef struct {
    ngx_msec_t       longest;  /* life of an entry, ms; 0: do not read */
    ngx_msec_t       stale;    /* ms; only while Redis can't be reached */
} ngx_http_leerpoort_ages_t;

/* A reply, shared by the clicks that waited for it. */
typedef struct {
    ngx_uint_t       refs;
    lp_span_t        packed;
} ngx_http_leerpoort_blob_t;

typedef struct ngx_http_leerpoort_ctx_s  ngx_http_leerpoort_ctx_t;

/* One key that a click needs. */
typedef struct {
    ngx_queue_t                 waiters;  /* of the flight */
    ngx_http_leerpoort_ctx_t   *ctx;
    uint64_t                    hash;
    uint8_t                     state;    /* ngx_http_leerpoort_key_state_e */
    uint8_t                     role;     /* ngx_http_leerpoort_role_e */
    uint8_t                     len;
    ngx_http_leerpoort_blob_t  *blob;
    char                        text[LP_KEY_MAX];
} ngx_http_leerpoort_key_t;

typedef enum {
    NGX_HTTP_LEERPOORT_KEY_WANTED = 0,
    NGX_HTTP_LEERPOORT_KEY_PENDING,   /* in flight */
    NGX_HTTP_LEERPOORT_KEY_FETCHED,   /* blob holds it */
    NGX_HTTP_LEERPOORT_KEY_FAILED     /* Redis did not answer */
} ngx_http_leerpoort_key_state_e;

typedef enum {
    NGX_HTTP_LEERPOORT_PRODUCT,
    NGX_HTTP_LEERPOORT_ALIAS,
    NGX_HTTP_LEERPOORT_RIGHTS   /* a hash of rights */
} ngx_http_leerpoort_role_e;

void ngx_http_leerpoort_mirror_init(ngx_cycle_t *cycle,
    ngx_http_leerpoort_main_conf_t *mcf);
void ngx_http_leerpoort_mirror_exit(void);
lp_span_t ngx_http_leerpoort_mirror_find(ngx_http_leerpoort_zone_t *zone,
    const ngx_http_leerpoort_key_t *key,
    const ngx_http_leerpoort_ages_t *ages, ngx_uint_t stale);
void ngx_http_leerpoort_mirror_ask(ngx_http_leerpoort_key_t *key,
    ngx_uint_t fresh, ngx_uint_t keep);
void ngx_http_leerpoort_mirror_leave(ngx_http_leerpoort_key_t *key);
void ngx_http_leerpoort_mirror_changed(ngx_http_leerpoort_zone_t *zone,
    const lp_reply_t *reply, size_t first, size_t count);
void ngx_http_leerpoort_mirror_changed_all(ngx_http_leerpoort_zone_t *zone);

void ngx_http_leerpoort_link_init(ngx_cycle_t *cycle,
    ngx_http_leerpoort_main_conf_t *mcf);
ngx_uint_t ngx_http_leerpoort_listening(void);
void ngx_http_leerpoort_link_exit(void);


/* ---- the click ---- */

/* What a verified token says; also a record in the zone, as it stands. */
typedef struct {
    uint64_t         fingerprint;
    int64_t          iat;
    int64_t          until;       /* Unix time; refused from then on */
    uint64_t         verified_ms; /* ngx_current_msec */
    uint8_t          issuer;
    uint8_t          n_users;
    uint8_t          school_type_len; /* 0: school is the master id */
    uint8_t          school_len;
    uint8_t          school_shard;    /* of a master id */
    uint8_t          shards[LP_TOKEN_USERS];
    uint8_t          employee;        /* open rights are not for them */
    uint64_t         school_hash;     /* of the keys' names; of a master id */
    uint64_t         at_school[LP_TOKEN_USERS];
    uint64_t         private[LP_TOKEN_USERS];
    char             users[LP_TOKEN_USERS][LP_USER_KEY_LEN];
    char             school_type[LP_ID_TYPE_MAX];
    char             school[LP_SCHOOL_ID_MAX];
} ngx_http_leerpoort_identity_t;

struct ngx_http_leerpoort_ctx_s {
    ngx_http_request_t           *request;
    ngx_queue_t                   ready;    /* in the worker's queue */
    ngx_http_leerpoort_identity_t identity;
    lp_click_t                    click;
    lp_span_t                     school;   /* resolved; len 0: none */
    char                          school_copy[LP_SCHOOL_ID_MAX];
    char                          entitlement[LP_ENTITLEMENT_LEN];
    lp_span_t                     target;   /* value of leerpoort_click; data
                                               NULL: none */
    lp_span_t                     token;    /* as it stands in the request */
    lp_span_t                     kept_token; /* of a click that activates */
    time_t                        identified_at;
    lp_span_t                     client;   /* of an API; len 0: none */
    lp_span_t                     scope;    /* likewise */
    ngx_str_t                     uri, args; /* of the click, for its return */
    ngx_str_t                     request_uri; /* data NULL: is as it was */
    ngx_array_t                  *error_pages; /* that lead back to it */
    ngx_http_handler_pt           handler;  /* of the worker's location */
    lp_outcome_t                  said;     /* by the worker, once fresh */
    lp_outcome_t                  outcome;
    ngx_str_t                     location; /* of a redirect */
    lp_span_t                     book;     /* the product's name, for a page */
    lp_span_t                     frames;   /* who may frame a page; or len 0 */
    lp_span_t                     platform; /* whose name that is; or len 0 */
    lp_span_t                     language; /* of its page; or len 0 */
    uint32_t                      from;     /* not-yet: the first day; or 0 */
    lp_jose_error_t               reason;   /* why the token was refused */
    char                          code[LP_SUPPORT_CODE_LEN]; /* of a page */
    uint64_t                      began;    /* this stretch of work, ns */
    uint64_t                      own_ns;   /* the stretches before it */
    ngx_table_elt_t              *outcome_header;
    unsigned                      n_keys;
    unsigned                      pending;
    unsigned                      decided:1;
    unsigned                      identified:1;
    unsigned                      tossed:1;   /* token: by another host? */
    unsigned                      school_known:1;
    unsigned                      entitled:1; /* entitlement is set */
    unsigned                      open:1;     /* ... an open right's */
    unsigned                      missed:1;   /* something was fetched */
    unsigned                      stale:1;    /* an old entry was used */
    unsigned                      activating:1; /* handed to the worker */
    unsigned                      fresh:1;    /* back from the worker */
    unsigned                      api:1;      /* no click: leerpoort_auth */
    unsigned                      suspended:1;
    unsigned                      kept:1;
    unsigned                      queued:1;
    unsigned                      counted:1;  /* as usage */
    unsigned                      coded:1;    /* code is set */
    unsigned                      dropped:1;  /* the session's cookie */
    ngx_http_leerpoort_key_t      keys[NGX_HTTP_LEERPOORT_KEYS];
};

ngx_int_t ngx_http_leerpoort_click_handler(ngx_http_request_t *r);
void ngx_http_leerpoort_click_ready(ngx_http_leerpoort_ctx_t *ctx);
void ngx_http_leerpoort_click_init(void);
ngx_http_leerpoort_ctx_t *ngx_http_leerpoort_ctx(ngx_http_request_t *r);
void ngx_http_leerpoort_ctx_keep(ngx_http_leerpoort_ctx_t *ctx);
void ngx_http_leerpoort_ctx_detach(ngx_http_leerpoort_ctx_t *ctx);

ngx_http_leerpoort_ctx_t *ngx_http_leerpoort_ctx_create(
    ngx_http_request_t *r);

void ngx_http_leerpoort_identity_names(
    ngx_http_leerpoort_identity_t *identity, lp_span_t school);
void ngx_http_leerpoort_seek(ngx_http_leerpoort_ctx_t *ctx);
ngx_int_t ngx_http_leerpoort_identify(ngx_http_leerpoort_ctx_t *ctx);
void ngx_http_leerpoort_at_hand_expect(lp_span_t token);
ngx_int_t ngx_http_leerpoort_at_hand_find(
    ngx_http_leerpoort_identity_t *identity, lp_span_t token);
void ngx_http_leerpoort_at_hand_keep(lp_span_t token,
    const ngx_http_leerpoort_identity_t *identity, size_t zone);
ngx_int_t ngx_http_leerpoort_find_token(ngx_http_request_t *r,
    lp_span_t *token, ngx_uint_t *tossed);
ngx_uint_t ngx_http_leerpoort_is_tossed(const ngx_http_leerpoort_ctx_t *ctx,
    ngx_uint_t tossed);
ngx_int_t ngx_http_leerpoort_session(ngx_http_request_t *r,
    ngx_str_t *value);
ngx_int_t ngx_http_leerpoort_drop_session(ngx_http_leerpoort_ctx_t *ctx);
ngx_http_leerpoort_issuer_t *ngx_http_leerpoort_issuer_of(
    ngx_http_leerpoort_main_conf_t *mcf, lp_span_t iss);
lp_jose_error_t ngx_http_leerpoort_identity_of(
    ngx_http_leerpoort_main_conf_t *mcf,
    const ngx_http_leerpoort_issuer_t *issuer, const lp_token_t *token,
    ngx_http_leerpoort_identity_t *identity);
ngx_int_t ngx_http_leerpoort_person(ngx_http_leerpoort_ctx_t *ctx,
    ngx_str_t *json);

ngx_int_t ngx_http_leerpoort_activate(ngx_http_leerpoort_ctx_t *ctx);
ngx_int_t ngx_http_leerpoort_activation_handler(ngx_http_request_t *r);
void ngx_http_leerpoort_activation_back(ngx_http_leerpoort_ctx_t *ctx);

ngx_int_t ngx_http_leerpoort_look(ngx_http_leerpoort_ctx_t *ctx);
ngx_uint_t ngx_http_leerpoort_may_complain(const char *what, lp_span_t of);
void ngx_http_leerpoort_complain(ngx_http_leerpoort_ctx_t *ctx,
    const char *about, const char *what);

ngx_int_t ngx_http_leerpoort_ticket_add(ngx_http_leerpoort_ctx_t *ctx,
    lp_span_t audience, char *location, size_t *len);

ngx_int_t ngx_http_leerpoort_prepare(ngx_http_leerpoort_ctx_t *ctx,
    lp_outcome_t outcome);
ngx_int_t ngx_http_leerpoort_answer(ngx_http_leerpoort_ctx_t *ctx,
    lp_outcome_t outcome);
ngx_int_t ngx_http_leerpoort_bad_method(ngx_http_leerpoort_ctx_t *ctx);
ngx_int_t ngx_http_leerpoort_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, const ngx_str_t *body);
ngx_uint_t ngx_http_leerpoort_has_error_page(ngx_http_request_t *r,
    ngx_uint_t status);
ngx_table_elt_t *ngx_http_leerpoort_header(ngx_http_request_t *r,
    const char *name, size_t name_len, const char *value, size_t value_len);

#define ngx_http_leerpoort_header_literal(r, name, value)                     \
    ngx_http_leerpoort_header(r, name, sizeof(name) - 1,                      \
                              value, sizeof(value) - 1)


/* ---- pages for people ---- */

#define NGX_HTTP_LEERPOORT_FRAMES_MAX 4096 /* bytes of ctx->frames */

lp_houses_t *ngx_http_leerpoort_houses(ngx_conf_t *cf, lp_span_t text,
    char *reason);
ngx_uint_t ngx_http_leerpoort_is_machine(ngx_http_request_t *r);
lp_language_t ngx_http_leerpoort_page_language(ngx_http_leerpoort_ctx_t *ctx);
lp_span_t ngx_http_leerpoort_page_asked(const ngx_http_request_t *r);
lp_span_t ngx_http_leerpoort_page_query(const ngx_http_request_t *r);
void ngx_http_leerpoort_frames(ngx_http_leerpoort_ctx_t *ctx);
ngx_int_t ngx_http_leerpoort_page(ngx_http_leerpoort_ctx_t *ctx,
    lp_outcome_t outcome, ngx_uint_t status);


/* ---- APIs ---- */

ngx_int_t ngx_http_leerpoort_auth_init(ngx_conf_t *cf,
    ngx_http_leerpoort_main_conf_t *mcf);
void ngx_http_leerpoort_auth_start(ngx_cycle_t *cycle,
    ngx_http_leerpoort_main_conf_t *mcf);
ngx_int_t ngx_http_leerpoort_auth_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_leerpoort_auth_part_handler(ngx_http_request_t *r);
ngx_uint_t ngx_http_leerpoort_is_scope(const char *text, size_t len,
    ngx_uint_t blanks);
ngx_int_t ngx_http_leerpoort_refuse(ngx_http_request_t *r,
    const ngx_http_leerpoort_auth_t *auth,
    ngx_http_leerpoort_api_result_e result, lp_jose_error_t error);


/* ---- usage ---- */

void ngx_http_leerpoort_usage_init(ngx_cycle_t *cycle,
    ngx_http_leerpoort_main_conf_t *mcf);
void ngx_http_leerpoort_usage_exit(void);
void ngx_http_leerpoort_usage_tick(void);
void ngx_http_leerpoort_usage_click(ngx_http_leerpoort_ctx_t *ctx);


/* ---- issuers, variables, metrics ---- */

u_char *ngx_http_leerpoort_read_file(ngx_pool_t *pool, ngx_str_t *name,
    size_t max, size_t *len, ngx_file_info_t *fi);
char *ngx_http_leerpoort_jwks_load(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer);
void ngx_http_leerpoort_jwks_refresh(ngx_http_leerpoort_main_conf_t *mcf,
    ngx_log_t *log);
void ngx_http_leerpoort_key_ask(ngx_http_leerpoort_main_conf_t *mcf,
    ngx_http_leerpoort_issuer_t *issuer);
uint64_t ngx_http_leerpoort_print(const void *bytes, size_t len);
void ngx_http_leerpoort_issuer_print(ngx_http_leerpoort_main_conf_t *mcf);

ngx_int_t ngx_http_leerpoort_add_variables(ngx_conf_t *cf);

void ngx_http_leerpoort_observe(ngx_http_leerpoort_histogram_t *histogram,
    uint64_t value, ngx_uint_t own_time);

/* The counters of this worker; usable once the worker has started. */
extern ngx_http_leerpoort_counters_t  *ngx_http_leerpoort_counters;
extern ngx_http_leerpoort_zone_t      *ngx_http_leerpoort_zone_here;

#define ngx_http_leerpoort_count(counter)                                     \
    (void) ngx_atomic_fetch_add(&ngx_http_leerpoort_counters->counter, 1)

/* A variable that was asked for before is made anew when it is again. */
static ngx_inline void
ngx_http_leerpoort_forget(ngx_http_request_t *r, ngx_int_t index)
{
    r->variables[index].valid = 0;
    r->variables[index].not_found = 0;
}

static ngx_inline lp_span_t
ngx_http_leerpoort_span(const ngx_str_t *s)
{
    return (lp_span_t) { (const char *) s->data, s->len };
}

extern ngx_module_t  ngx_http_leerpoort_module;


#endif /* NGX_HTTP_LEERPOORT_H_INCLUDED */
