"""The settings of a server whose GitHub is the stand-in."""

from sandbox.github.server import GitHubStandIn


def server_settings(github: GitHubStandIn, *, public_url: str = "http://127.0.0.1:9") -> dict[str, str]:
    """Everything that `serve` requires, as the environment would hold it."""
    return {
        "PUBLIC_URL": public_url,
        "GITHUB_APP_ID": str(github.app_id),
        "GITHUB_CLIENT_ID": github.client_id,
        "GITHUB_CLIENT_SECRET": github.client_secret,
        "GITHUB_PRIVATE_KEY": github.private_key_pem,
        "GITHUB_WEBHOOK_SECRET": github.webhook_secret,
        "GITHUB_MARKETPLACE_WEBHOOK_SECRET": github.marketplace_webhook_secret,
        "GITHUB_API_URL": github.api_url,
        "GITHUB_WEB_URL": github.web_url,
        "GITHUB_MARKETPLACE": "on",
        "SESSION_SECRET": "s" * 64,
    }
