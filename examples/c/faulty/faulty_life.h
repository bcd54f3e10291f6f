/*
 * The rest of faulty.c: loading, starting, stopping, and what the plugin offers to the host.
 */

#if defined(__GNUC__)
__attribute__((constructor))
#endif
static void at_load(void)
{
    if (FAULT == CRASH_AT_LOAD)
        abort();
}

static void *idle(void *unused)
{
    (void)unused;
    while (FAULT == EARLY_QUIESCENCE || !atomic_load(&stopping))
        wait_ms(1);
    return NULL;
}

static pthread_t idler;
static bool idling;

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable)
{
    if (FAULT == HANG_AT_START)
        for (;;)
            pause();
    if (atomic_fetch_add(&starts, 1) > 0 && FAULT == CRASH_AT_SECOND_INIT)
        abort();
    if (FAULT == NEEDS_EXTENSIONS) {
        const NrHostExt *state = api->get_extension(api->host_ctx, NR_EXT_STATE);
        if (state->set_state == NULL)
            return NR_STATUS_ERR;
    }
    /* Instances share all but their context, which is the fault. */
    if (plugin_ctx == NULL || host == NULL)
        host_ctx = ctx;
    host = vtable;
    if (!idling)
        idling = pthread_create(&idler, NULL, idle, NULL) == 0;
    return idling ? NR_STATUS_OK : NR_STATUS_ERR;
}

static void shut_down(void *plugin_ctx)
{
    (void)plugin_ctx;
    if (FAULT == CRASH_AT_STOP && atomic_load(&calls) > 0)
        abort();
    if (FAULT == HANG_AT_STOP)
        for (;;)
            pause();
    atomic_store(&stopping, true);
    if (FAULT != EARLY_QUIESCENCE && idling)
        pthread_join(idler, NULL);
    idling = false;
}

static const NrPluginVTable vtable = { .init = init, .handle = handle, .shutdown = shut_down };

#define TEXT(literal) { .ptr = (const uint8_t *)(literal), .len = sizeof(literal) - 1 }

static const NrPluginInfo infos[2] = {
    { .abi_version = NR_ABI_VERSION, .struct_size = sizeof(NrPluginInfo), .name = TEXT("faulty"), .version = TEXT("0.1.0"), .vtable = &vtable },
    { .abi_version = NR_ABI_VERSION, .struct_size = sizeof(NrPluginInfo), .name = TEXT("faulty"), .version = TEXT("0.1.0"), .vtable = &vtable },
};

NR_EXPORT const NrPluginInfo *nylon_ring_get_plugin_v1(void)
{
    static atomic_uint asked;

    return FAULT == OTHER_INFO ? &infos[atomic_fetch_add(&asked, 1) % 2] : &infos[0];
}

NR_EXPORT void nylon_ring_attach_host_v1(void *plugin_ctx, const NrHostApi *given)
{
    (void)plugin_ctx;
    api = given;
}

static uint32_t is_quiescent(void *plugin_ctx)
{
    (void)plugin_ctx;
    return FAULT != NEVER_QUIESCENT && atomic_load(&threads) == 0;
}

static const NrQuiesceExt quiesce = {
    .struct_size = FAULT == SMALL_TABLE ? 8 : sizeof(NrQuiesceExt),
    .is_quiescent = is_quiescent,
};

static NrStatus check(void *plugin_ctx, NrStr *detail)
{
    (void)plugin_ctx;
    *detail = nr_str("fine");
    return FAULT == BAD_HEALTH ? 12 : NR_STATUS_OK;
}

static const NrHealthExt health = { .struct_size = sizeof(NrHealthExt), .check = check };

static NrStatus create(void *plugin_ctx, void **instance_ctx)
{
    (void)plugin_ctx;
    *instance_ctx = malloc(1);
    return *instance_ctx != NULL ? NR_STATUS_OK : NR_STATUS_ERR;
}

static void destroy(void *plugin_ctx, void *instance_ctx)
{
    (void)plugin_ctx;
    free(instance_ctx);
}

static const NrInstanceExt instances = { .struct_size = sizeof(NrInstanceExt), .create = create, .destroy = destroy };

NR_EXPORT const void *nylon_ring_get_extension_v1(void *plugin_ctx, const char *id)
{
    (void)plugin_ctx;
    if (strcmp(id, NR_EXT_QUIESCE) == 0)
        return &quiesce;
    if (strcmp(id, NR_EXT_HEALTH) == 0)
        return &health;
    if (FAULT == INSTANCES_SHARE && strcmp(id, NR_EXT_INSTANCE) == 0)
        return &instances;
    return FAULT == OFFERS_ALL && strcmp(id, NR_EXT_INSTANCE) != 0 ? &health : NULL;
}
