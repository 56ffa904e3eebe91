"""Sign-in: a user pool, and the page as its one application."""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.environments import EnvironmentSettings, Identity

PASSWORD_LENGTH: Final = 12
"""Length over rules, and leaked ones are refused under threat protection; the four kinds are AwsSolutions-COG1."""


class IdentityStack(EnvironmentStack):
    """Shoppers sign in by e-mail address; the page gets a token by authorization code and PKCE, and has no secret."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, identity: Identity) -> None:
        super().__init__(scope, "Identity", settings=settings, description="Sign-in of shoppers")
        self.pool = self._pool(settings, identity)
        # A hosted page is of use only where it may return to.
        returns = list(identity.return_urls)
        if settings.domains:
            returns.insert(0, f"https://{settings.domains.page}/")
        self.client = self._client(identity, returns)
        if returns:
            self.domain = self.pool.add_domain(
                "Domain",
                cognito_domain=cognito.CognitoDomainOptions(
                    domain_prefix=f"{settings.resource_prefix}-{self.account}"
                ),
            )
            CfnOutput(self, "SignInUrl", value=self.domain.base_url())
        CfnOutput(self, "UserPoolId", value=self.pool.user_pool_id)
        CfnOutput(self, "UserPoolClientId", value=self.client.user_pool_client_id)

    def _pool(self, settings: EnvironmentSettings, identity: Identity) -> cognito.UserPool:
        return cognito.UserPool(
            self,
            "Pool",
            user_pool_name=f"{settings.resource_prefix}-shoppers",
            self_sign_up_enabled=True,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            # An address changes once it is proven to be the shopper's.
            keep_original=cognito.KeepOriginalAttrs(email=True),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            password_policy=cognito.PasswordPolicy(
                min_length=PASSWORD_LENGTH,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
                temp_password_validity=Duration.days(1),
            ),
            mfa=cognito.Mfa.REQUIRED if identity.mfa == "required" else cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(sms=False, otp=True),
            feature_plan=cognito.FeaturePlan.PLUS
            if identity.threat_protection
            else cognito.FeaturePlan.ESSENTIALS,
            standard_threat_protection_mode=cognito.StandardThreatProtectionMode.FULL_FUNCTION
            if identity.threat_protection
            else cognito.StandardThreatProtectionMode.NO_ENFORCEMENT,
            deletion_protection=settings.protection.deletion_protection,
            removal_policy=self.removal_policy,
        )

    def _client(self, identity: Identity, returns: list[str]) -> cognito.UserPoolClient:
        flow = cognito.OAuthSettings(
            flows=cognito.OAuthFlows(authorization_code_grant=True),
            scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL],
            callback_urls=returns,
            logout_urls=returns,
        )
        return self.pool.add_client(
            "Page",
            user_pool_client_name="page",
            # A page can keep no secret; PKCE ties the code to the browser that asked for it.
            generate_secret=False,
            # Passwords go to Cognito's own page, or to it by SRP where there is none; never through us.
            auth_flows=cognito.AuthFlow(user_srp=True),
            o_auth=flow if returns else None,
            disable_o_auth=not returns,
            supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
            access_token_validity=Duration.minutes(identity.access_token_minutes),
            id_token_validity=Duration.minutes(identity.access_token_minutes),
            refresh_token_validity=Duration.days(identity.refresh_token_days),
            enable_token_revocation=True,
            prevent_user_existence_errors=True,
        )
