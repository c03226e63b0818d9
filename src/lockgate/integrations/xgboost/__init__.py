"""XGBoost models become packages of XGBoost's own format here. Needs the extra `xgboost`."""
