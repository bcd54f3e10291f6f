/*
 * The faults of faulty.c, one a plugin: -DFAULT=<name>. `nylon-ring check` must find each, and nothing else.
 */
#ifndef FAULTS_H
#define FAULTS_H

enum {
    NONE, /* right: the others differ from it in one thing */
    /* its life */
    CRASH_AT_LOAD,
    HANG_AT_START,
    OTHER_INFO,
    CRASH_AT_SECOND_INIT,
    CRASH_AT_STOP,
    HANG_AT_STOP,
    /* handle */
    BLOCKS,
    COMPUTES,
    BLOCKS_FOREVER,
    ABORTS,
    EXITS,
    UNKNOWN_RETURN,
    NEVER_ANSWERS,
    FORGETS_SOME,
    DIES_OF_EMPTY,
    /* send_result */
    SECOND_RESULT,
    SECOND_RESULT_LATER,
    FRAME_AFTER_END,
    STREAM_WITHOUT_END,
    RESULT_AFTER_REFUSAL,
    UNKNOWN_STATUS,
    NULL_PAYLOAD,
    HUGE_PAYLOAD,
    WILD_PAYLOAD,
    FORGED_SID,
    CUT_SID,
    OTHER_CONTEXT,
    /* several calls */
    LAST_CALL_WINS,
    LAST_TEXT_WINS,
    RACE,
    FORGETS_CANCELLED,
    /* memory */
    LATE_READ,
    WRITES_REQUEST,
    READS_PAST_END,
    LOOKS_INTO_CONTEXT,
    LEAKS,
    STATE_AFTER_END,
    WRITES_STATE,
    KEEPS_BUFFER,
    BUFFER_TWICE,
    FREES_USER_TWICE,
    /* extensions */
    NEEDS_EXTENSIONS,
    SMALL_TABLE,
    OFFERS_ALL,
    EARLY_QUIESCENCE,
    NEVER_QUIESCENT,
    BAD_HEALTH,
    INSTANCES_SHARE,
};

#ifndef FAULT
#define FAULT NONE
#endif

#endif
