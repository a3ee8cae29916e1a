/*
 * What the command can do. Each runs once per process, answers on standard
 * output and returns LP_YES, LP_NO after saying why, or LP_USAGE.
 */

#ifndef LP_COMMANDS_H
#define LP_COMMANDS_H

#include "command_line.h"

int lp_command_jws_verify(const lp_args_t *args);
int lp_command_token_verify(const lp_args_t *args);
int lp_command_token_explain(const lp_args_t *args);
int lp_command_token_mint(const lp_args_t *args);
int lp_command_token_jwks(const lp_args_t *args);
int lp_command_key_new(const lp_args_t *args);
int lp_command_key_rotate(const lp_args_t *args);
int lp_command_key_list(const lp_args_t *args);
int lp_command_user_key(const lp_args_t *args);
int lp_command_right_show(const lp_args_t *args);
int lp_command_right_set(const lp_args_t *args);
int lp_command_right_drop(const lp_args_t *args);
int lp_command_right_revoke(const lp_args_t *args);
int lp_command_product_show(const lp_args_t *args);
int lp_command_product_set(const lp_args_t *args);
int lp_command_product_drop(const lp_args_t *args);
int lp_command_product_chapters(const lp_args_t *args);
int lp_command_product_index(const lp_args_t *args);
int lp_command_import_entitlements(const lp_args_t *args);
int lp_command_import_products(const lp_args_t *args);
int lp_command_import_schools(const lp_args_t *args);
int lp_command_school_show(const lp_args_t *args);
int lp_command_school_set(const lp_args_t *args);
int lp_command_school_drop(const lp_args_t *args);
int lp_command_school_consent(const lp_args_t *args);
int lp_command_report_usage(const lp_args_t *args);
int lp_command_catalogue_pull(const lp_args_t *args);
int lp_command_relay_status(const lp_args_t *args);
int lp_command_relay_retry(const lp_args_t *args);
int lp_command_school_erase(const lp_args_t *args);
int lp_command_privacy_show(const lp_args_t *args);
int lp_command_privacy_erase(const lp_args_t *args);
int lp_command_explain(const lp_args_t *args);
int lp_command_check(const lp_args_t *args);

#endif
